"""Says which failures of the database are outages, by the drivers' own codes: the one definition.

An outage passes by itself or by its operator's hand. Callers are told to try again (503); what
runs for ever waits and goes on. Every other error of the database is a defect, and loud.
"""

from __future__ import annotations

import contextlib
import errno
import re
import sqlite3
import time
from typing import Final

import structlog
from django.db import Error, connection

_LOG_AGAIN_SECONDS: Final = 60.0
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
# insufficient resources, operator intervention and system errors; then, one by one, a server that
# became read-only, a transaction that was cut for its idleness, and a lock that did not come.
_SQLSTATE_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_SQLSTATES: Final = frozenset({"25006", "25P03", "25P04", "55P03"})
_SQLSTATE_FULL: Final = "53100"
# Of MariaDB's and MySQL's server: full or failing disk, memory, connections and rights to connect,
# shutdown, cut connections, limits, read-only, interrupted and timed-out statements.
_SERVER_ERRORS: Final = frozenset(
    {1021, 1030, 1037, 1038, 1040, 1041, 1042, 1043, 1044, 1045, 1049, 1053, 1077, 1079, 1080}
    | {1114, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1290, 1317, 1836, 1927}
    | {1969, 3024, 3032, 4031}
)
_FULL_ERRORS: Final = frozenset({1021, 1114})
# Of its client's library: no way to the server, or one that was cut. 0 is a closed connection.
_CLIENT_ERRORS: Final = frozenset({0, 2002, 2003, 2004, 2005, 2006, 2012, 2013, 2026, 2055})
# Transactions that were ended for another's sake: serialization failure, deadlock, lock timeout.
_CONTENTION_SQLSTATES: Final = frozenset({"40001", "40P01"})
_CONTENTION_ERRORS: Final = frozenset({1205, 1213})
# Drivers give no code to a connection that this side has closed.
_CLOSED: Final = re.compile(
    r"\b(connection|database)\b.*\bclosed\b|\bclosed (connection|database)\b"
)


def database_errors() -> tuple[type[Exception], ...]:
    """Return the classes of a database's errors, to be caught.

    Django's own and, since it closes a cursor of a broken connection without translating what that
    raises, the driver's.
    """
    return Error, connection.Database.Error  # type: ignore[attr-defined]  # every backend's driver


def is_serialization_failure(error: BaseException) -> bool:
    """Whether the database ended this transaction so that another one could go on."""
    if not (isinstance(error, database_errors()) and _is_a(error, "OperationalError")):
        return False
    code = _code(error)
    return code in _CONTENTION_SQLSTATES or code in _CONTENTION_ERRORS


def is_database_outage(error: BaseException) -> bool:
    """Whether the database cannot serve just now: away, full, shutting down or too busy."""
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
    """Whether a disk is full: the database's, its server's, or the one that files are kept on."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    if not isinstance(error, database_errors()):
        return False
    code = _code(error)
    return _sqlite_code(error) == _SQLITE_FULL or code == _SQLSTATE_FULL or code in _FULL_ERRORS


def log_outage(error: BaseException) -> None:
    """Log why something is unavailable, with its traceback, once a minute for each cause.

    While a server is away every request meets the same error: one line says all that they would.
    """
    cause = error.__cause__ or error
    key = (type(cause).__qualname__, _code(error))
    now = time.monotonic()
    if now - _logged_at.get(key, float("-inf")) >= _LOG_AGAIN_SECONDS:
        _logged_at[key] = now
        _log.error("unavailable", cause=str(cause), exc_info=error)


def drop_connection() -> None:
    """Close this thread's connection, whatever ails it; the next query opens a new one.

    MariaDB's driver raises when a connection that is closed is closed again.
    """
    with contextlib.suppress(*database_errors()):
        connection.close()


def _code(error: BaseException) -> str | int | None:
    """Return PostgreSQL's SQLSTATE or MariaDB's error number; None where there is neither."""
    sqlstate = getattr(error.__cause__ or error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def _sqlite_code(error: BaseException) -> int | None:
    """Return SQLite's primary result code; None of another database, and of a closed one."""
    code = getattr(error.__cause__ or error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _is_a(error: BaseException, *names: str) -> bool:
    """Whether an error is of a class that every driver calls so (PEP 249)."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _has_no_connection(error: BaseException) -> bool:
    """Whether the driver says, without a code, that there is no connection to the server.

    psycopg has no code for what its library meets itself, which is a connection that cannot be
    made, was cut, or did not come out of the pool in time.
    """
    is_psycopg = hasattr(error.__cause__ or error, "sqlstate")
    if is_psycopg and _is_a(error, "OperationalError"):
        return True
    says_so = _is_a(error, "InterfaceError", "ProgrammingError")
    return says_so and bool(_CLOSED.search(str(error)))
