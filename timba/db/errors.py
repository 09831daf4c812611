"""What the errors of the databases mean: an outage, or the violation of a named constraint."""

from __future__ import annotations

import contextlib
import errno
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from django.apps import apps
from django.db import Error, IntegrityError, connection
from django.db.models import UniqueConstraint

from timba.errors import DiskFull, DomainError

# Anchored at the end of the message, which never contains text from a request.
_MARIADB_UNIQUE = re.compile(r"for key '(?:[^'.]+\.)?([^'.]+)'\W*$")
_MARIADB_CHECK = re.compile(r"CONSTRAINT `([^`]+)` failed for `[^`]+`\.`[^`]+`\W*$")
_MYSQL_CHECK = re.compile(r"^Check constraint '([^']+)' is violated\.?$")
_SQLITE_CHECK = re.compile(r"^CHECK constraint failed: (\w+)$")
_SQLITE_UNIQUE = re.compile(r"^UNIQUE constraint failed: (.+)$")

_LOG_INTERVAL_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)
_logged_at: dict[tuple[str, object], float] = {}

# https://www.sqlite.org/rescode.html; an extended code keeps its primary one in the lowest byte.
_SQLITE_FULL: Final = sqlite3.SQLITE_FULL
_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions,
# insufficient resources, operator intervention and system errors; then single codes:
# read_only_sql_transaction, two idle timeouts of sessions, and lock_not_available.
_SQLSTATE_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_SQLSTATES: Final = frozenset({"25006", "25P03", "25P04", "55P03"})
_SQLSTATE_FULL: Final = "53100"
# Server errors of MariaDB and MySQL: full or failing disk, memory, connections and the right to
# connect, shutdown, lost connections, limits, read-only, interrupted and timed-out statements.
_SERVER_ERRORS: Final = frozenset(
    {1021, 1030, 1037, 1038, 1040, 1041, 1042, 1043, 1044, 1045, 1049, 1053, 1077, 1079, 1080}
    | {1114, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1290, 1317, 1836, 1927}
    | {1969, 3024, 3032, 4031}
)
_FULL_ERRORS: Final = frozenset({1021, 1114})
# Errors of the client library: the server is unreachable or the connection was lost (0: closed).
_CLIENT_ERRORS: Final = frozenset({0, 2002, 2003, 2004, 2005, 2006, 2012, 2013, 2026, 2055})
# Serialization failure, deadlock, lock wait timeout.
_CONFLICT_SQLSTATES: Final = frozenset({"40001", "40P01"})
_CONFLICT_ERRORS: Final = frozenset({1205, 1213})
# Drivers give no code if this side has closed the connection.
_CLOSED: Final = re.compile(
    r"\b(connection|database)\b.*\bclosed\b|\bclosed (connection|database)\b"
)


def database_errors() -> tuple[type[Exception], ...]:
    """Return the exception classes of database errors: Django's and the driver's.

    Django does not translate errors that closing the cursor of a broken connection raises.
    """
    return Error, connection.Database.Error  # type: ignore[attr-defined]  # every backend's driver


def is_serialization_failure(error: BaseException) -> bool:
    """Return whether the transaction lost a deadlock or a serialization conflict."""
    if not (
        isinstance(error, database_errors()) and _is_instance_by_name(error, "OperationalError")
    ):
        return False
    code = _code(error)
    return code in _CONFLICT_SQLSTATES or code in _CONFLICT_ERRORS


def is_database_outage(error: BaseException) -> bool:
    """Return whether the database is unavailable: unreachable, full, shutting down or too busy."""
    if not isinstance(error, database_errors()):
        return False
    if is_serialization_failure(error):
        return True
    if (sqlite_code := _sqlite_code(error)) is not None:
        return sqlite_code in _SQLITE
    code = _code(error)
    if isinstance(code, str):
        return code[:2] in _SQLSTATE_CLASSES or code in _SQLSTATES
    if isinstance(code, int):
        return code in _SERVER_ERRORS or code in _CLIENT_ERRORS
    return _has_no_connection(error)


def is_disk_full(error: BaseException) -> bool:
    """Return whether a disk is full: the database's, or one that OSError or DiskFull is about."""
    if isinstance(error, DiskFull):
        return True
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    if not isinstance(error, database_errors()):
        return False
    code = _code(error)
    return _sqlite_code(error) == _SQLITE_FULL or code == _SQLSTATE_FULL or code in _FULL_ERRORS


def log_outage(error: BaseException) -> None:
    """Log an outage with its traceback, at most once a minute for each cause.

    During an outage every request fails with the same error. A full disk needs no traceback.
    """
    cause = error.__cause__ or error
    key = (type(cause).__qualname__, _code(error))
    now = time.monotonic()
    if now - _logged_at.get(key, float("-inf")) >= _LOG_INTERVAL_SECONDS:
        _logged_at[key] = now
        exc_info = None if is_disk_full(error) else error
        _log.error("unavailable", cause=str(cause), exc_info=exc_info)


def drop_connection() -> None:
    """Close this thread's connection even if it is broken; the next query opens a new one.

    MariaDB's driver raises an error when a closed connection is closed again.
    """
    with contextlib.suppress(*database_errors()):
        connection.close()


def _code(error: BaseException) -> str | int | None:
    """Return PostgreSQL's SQLSTATE or MariaDB's error number, or None."""
    sqlstate = getattr(error.__cause__ or error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def _sqlite_code(error: BaseException) -> int | None:
    """Return SQLite's primary result code; None for other databases and for a closed connection."""
    code = getattr(error.__cause__ or error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _is_instance_by_name(error: BaseException, *names: str) -> bool:
    """Return whether an error is an instance of a class of PEP 249, which each driver defines."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _has_no_connection(error: BaseException) -> bool:
    """Return whether the driver reports, without a code, that there is no connection.

    psycopg gives no code to errors of its client library: a connection failed or was lost.
    """
    is_psycopg = hasattr(error.__cause__ or error, "sqlstate")
    if is_psycopg and _is_instance_by_name(error, "OperationalError"):
        return True
    is_about_connection = _is_instance_by_name(error, "InterfaceError", "ProgrammingError")
    return is_about_connection and bool(_CLOSED.search(str(error)))


@contextmanager
def translate_integrity_errors(errors: Mapping[str, DomainError]) -> Iterator[None]:
    """Raise `errors[name]` for a violation of the constraint `name`; let other errors pass.

    The constraint decides, since checking beforehand would be a race condition. The surrounding
    transaction is broken: the error must leave its block.
    """
    try:
        yield
    except IntegrityError as failure:
        error = errors.get(get_violated_constraint(failure) or "")
        if error is None:
            raise
        raise error from failure


def get_violated_constraint(failure: IntegrityError) -> str | None:
    """Return the name of the violated constraint, or None if the database does not report it.

    Each database reports it differently; SQLite names the columns of a unique constraint instead.
    """
    diagnostics = getattr(failure.__cause__, "diag", None)
    if diagnostics is not None:
        name: str | None = diagnostics.constraint_name
        return name
    text = str(failure.args[-1]) if failure.args else ""
    for pattern in (_SQLITE_CHECK, _MARIADB_UNIQUE, _MARIADB_CHECK, _MYSQL_CHECK):
        if match := pattern.search(text):
            return match[1]
    columns = _SQLITE_UNIQUE.search(text)
    return _find_unique_constraint(columns[1].split(", ")) if columns else None


def _find_unique_constraint(columns: list[str]) -> str | None:
    """Return the name of the unique constraint on these columns, each `table.column`."""
    for model in apps.get_models():
        column_of = {field.name: field.column for field in model._meta.concrete_fields}
        for constraint in model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                constrained = [
                    f"{model._meta.db_table}.{column_of[name]}" for name in constraint.fields
                ]
                if constrained == columns:
                    return constraint.name
    return None
