"""Outages and violated constraints are told apart by the errors of each database."""

from __future__ import annotations

import errno
import sqlite3
from types import SimpleNamespace

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
    transaction,
)

from tests.conftest import MakeUser
from tests.factories import ClientFactory, UserFactory
from timba.accounts.models import Role, User
from timba.db import errors
from timba.db.errors import (
    get_violated_constraint,
    is_database_outage,
    is_disk_full,
    log_outage,
    translate_integrity_errors,
)
from timba.errors import Conflict
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
    postgresql(psycopg.InterfaceError("connection already closed"), InterfaceError),
    postgresql(psycopg.errors.ConnectionFailure()),
    postgresql(psycopg.errors.AdminShutdown()),
    postgresql(psycopg.errors.CannotConnectNow()),
    postgresql(psycopg.errors.TooManyConnections()),
    postgresql(psycopg.errors.DiskFull()),
    postgresql(psycopg.errors.OutOfMemory()),
    postgresql(psycopg.errors.IoError()),
    postgresql(psycopg.errors.ReadOnlySqlTransaction(), InternalError),
    postgresql(psycopg.errors.DeadlockDetected()),
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
    postgresql(psycopg.errors.UndefinedColumn(), ProgrammingError),
    postgresql(psycopg.errors.ProgramLimitExceeded()),
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
        (postgresql(psycopg.errors.DiskFull()), True),
        (postgresql(psycopg.errors.IoError()), False),
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
    monkeypatch.setattr(errors, "_logged_at", {})
    for _ in range(3):
        log_outage(postgresql(psycopg.errors.AdminShutdown("terminating connection")))
        log_outage(StorageUnavailable("the S3 server does not answer"))
    first, second = caplog.records
    assert "terminating connection" in first.getMessage()
    assert "the S3 server does not answer" in second.getMessage()
    assert "exc_info" in first.getMessage()


def test_a_lasting_cause_is_logged_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_logged_at", {})
    monkeypatch.setattr(errors, "_LOG_INTERVAL_SECONDS", 0.0)
    for _ in range(2):
        log_outage(OperationalError(2006, "Server has gone away"))
    assert len(caplog.records) == 2


# What the servers say; the last argument of MySQL's and MariaDB's errors is the text.
TEXTS = {
    ("UNIQUE constraint failed: accounts_user.username",): "username_is_unique",
    (
        "UNIQUE constraint failed: accounts_role.client_id, accounts_role.name",
    ): "role_name_is_unique",
    ("CHECK constraint failed: log_measures_are_positive",): "log_measures_are_positive",
    (1062, "Duplicate entry 'anna' for key 'username_is_unique'"): "username_is_unique",
    (1062, "Duplicate entry 'anna' for key 'accounts_user.username_is_unique'"): (
        "username_is_unique"
    ),
    (1062, "Duplicate entry 'x' for key 'role_name_is_unique' for key 'username_is_unique'"): (
        "username_is_unique"
    ),
    (4025, "CONSTRAINT `note_title_is_not_empty` failed for `timba`.`notes_note`"): (
        "note_title_is_not_empty"
    ),
    (3819, "Check constraint 'note_title_is_not_empty' is violated."): "note_title_is_not_empty",
    ("UNIQUE constraint failed: accounts_user.id",): None,
    ("FOREIGN KEY constraint failed",): None,
    ("NOT NULL constraint failed: accounts_user.name",): None,
    (): None,
}


@pytest.mark.parametrize(("arguments", "name"), TEXTS.items())
def test_the_constraint_is_found_by_name(arguments: tuple[object, ...], name: str | None) -> None:
    assert get_violated_constraint(IntegrityError(*arguments)) == name


def test_postgresql_reports_the_name() -> None:
    failure = IntegrityError("duplicate key value …")
    failure.__cause__ = Exception()
    failure.__cause__.diag = SimpleNamespace(constraint_name="username_is_unique")
    assert get_violated_constraint(failure) == "username_is_unique"


def test_a_taken_username_becomes_its_sentence(make_user: MakeUser) -> None:
    make_user(username="anna")
    with (
        pytest.raises(Conflict, match=r"^Taken\.$") as refused,
        translate_integrity_errors({"username_is_unique": Conflict("Taken.")}),
        transaction.atomic(),
    ):
        make_user(username="anna")
    assert isinstance(refused.value.__cause__, IntegrityError)


def test_a_constraint_over_several_columns_is_told_from_others(make_user: MakeUser) -> None:
    client = ClientFactory()
    Role.unscoped.create(client=client, name="gate")
    expected = {"username_is_unique": Conflict("Wrong."), "role_name_is_unique": Conflict("Right.")}
    with (
        pytest.raises(Conflict, match=r"^Right\.$"),
        translate_integrity_errors(expected),
        transaction.atomic(),
    ):
        Role.unscoped.create(client=client, name="gate")


def test_a_check_becomes_its_sentence(make_user: MakeUser) -> None:
    user = make_user()
    with (
        pytest.raises(Conflict, match=r"^Staff or member\.$"),
        translate_integrity_errors(
            {"user_is_staff_or_has_client_and_role": Conflict("Staff or member.")}
        ),
        transaction.atomic(),
    ):
        User.unscoped.filter(pk=user.pk).update(client=None)


def test_a_violation_without_a_translation_passes_unchanged(make_user: MakeUser) -> None:
    make_user(username="anna")
    with (
        pytest.raises(IntegrityError),
        translate_integrity_errors({"role_name_is_unique": Conflict("Wrong.")}),
        transaction.atomic(),
    ):
        UserFactory(username="anna")
