"""Outages are classified by the drivers' error codes, not by exception classes."""

from __future__ import annotations

import errno
import sqlite3

import psycopg
import pytest
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from psycopg import errors
from psycopg_pool import PoolTimeout

from timba.db import outages
from timba.db.outages import is_database_outage, is_disk_full, log_outage
from timba.files.storage import StorageUnavailable


def raised(error: Error, cause: Exception) -> Error:
    """Return an error of Django's as it comes: from the driver's own."""
    error.__cause__ = cause
    return error


def sqlite(sentence: str, code: int, kind: type[Error] = OperationalError) -> Error:
    cause = sqlite3.OperationalError(sentence)
    cause.sqlite_errorcode = code
    return raised(kind(sentence), cause)


def postgresql(cause: psycopg.Error, kind: type[Error] = OperationalError) -> Error:
    return raised(kind(str(cause)), cause)


OUTAGES = [
    sqlite("database is locked", sqlite3.SQLITE_BUSY),
    sqlite("database table is locked", sqlite3.SQLITE_LOCKED),
    sqlite("attempt to write a readonly database", sqlite3.SQLITE_READONLY_DBMOVED),
    sqlite("interrupted", sqlite3.SQLITE_INTERRUPT),
    sqlite("disk I/O error", sqlite3.SQLITE_IOERR_WRITE),
    sqlite("database or disk is full", sqlite3.SQLITE_FULL),
    sqlite("unable to open database file", sqlite3.SQLITE_CANTOPEN),
    raised(
        ProgrammingError("Cannot operate on a closed database."),
        sqlite3.ProgrammingError("Cannot operate on a closed database."),
    ),
    postgresql(psycopg.OperationalError("connection failed: Connection refused")),
    postgresql(psycopg.OperationalError("the connection is closed")),
    postgresql(PoolTimeout("couldn't get a connection after 5.00 sec")),
    postgresql(psycopg.InterfaceError("connection already closed"), InterfaceError),
    postgresql(errors.ConnectionFailure()),
    postgresql(errors.AdminShutdown()),
    postgresql(errors.CannotConnectNow()),
    postgresql(errors.TooManyConnections()),
    postgresql(errors.DiskFull()),
    postgresql(errors.OutOfMemory()),
    postgresql(errors.IoError()),
    postgresql(errors.ReadOnlySqlTransaction(), InternalError),
    postgresql(errors.DeadlockDetected()),
    OperationalError(2002, "Can't connect to local server through socket"),
    OperationalError(2006, "Server has gone away"),
    OperationalError(2013, "Lost connection to server during query"),
    OperationalError(1040, "Too many connections"),
    OperationalError(1114, "The table is full"),
    OperationalError(1205, "Lock wait timeout exceeded"),
    OperationalError(1290, "The server is running with the --read-only option"),
    InterfaceError(0, ""),
]
DEFECTS = [
    sqlite("no such column: nothing", sqlite3.SQLITE_ERROR),
    sqlite("database disk image is malformed", sqlite3.SQLITE_CORRUPT, DatabaseError),
    postgresql(errors.UndefinedColumn(), ProgrammingError),
    postgresql(errors.ProgramLimitExceeded()),
    postgresql(psycopg.InterfaceError("the cursor is closed"), InterfaceError),
    OperationalError(1054, "Unknown column 'nothing' in 'SELECT'"),
    OperationalError("of no driver"),
    IntegrityError(1213, "of another kind"),
    ProgrammingError("Cannot open a new connection in an atomic block."),
    ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
]


@pytest.mark.parametrize("error", OUTAGES, ids=str)
def test_outages_are_classified_by_code(error: Error) -> None:
    assert is_database_outage(error)


@pytest.mark.parametrize("error", DEFECTS, ids=str)
def test_a_defect_is_not_an_outage(error: Exception) -> None:
    assert not is_database_outage(error)


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (sqlite("database or disk is full", sqlite3.SQLITE_FULL), True),
        (sqlite("disk I/O error", sqlite3.SQLITE_IOERR), False),
        (postgresql(errors.DiskFull()), True),
        (postgresql(errors.IoError()), False),
        (OperationalError(1114, "The table is full"), True),
        (OperationalError(2006, "Server has gone away"), False),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (StorageUnavailable(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EIO, "Input/output error"), False),
    ],
    ids=str,
)
def test_full_disks_are_classified_by_code(error: Exception, is_full: bool) -> None:
    assert is_disk_full(error) is is_full


def test_each_cause_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_logged_at", {})
    for _ in range(3):
        log_outage(postgresql(errors.AdminShutdown("terminating connection")))
        log_outage(StorageUnavailable("the S3 server does not answer"))
    first, second = caplog.records
    assert "terminating connection" in first.getMessage()
    assert "the S3 server does not answer" in second.getMessage()
    assert "exc_info" in first.getMessage()


def test_a_lasting_cause_is_logged_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_logged_at", {})
    monkeypatch.setattr(outages, "_LOG_INTERVAL_SECONDS", 0.0)
    for _ in range(2):
        log_outage(OperationalError(2006, "Server has gone away"))
    assert len(caplog.records) == 2
