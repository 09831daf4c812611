"""Settings of the database connections, chosen so that all three databases behave alike.

The isolation level is READ COMMITTED, each thread keeps its connection, a restart of the server is
waited for, times are UTC, and text is compared exactly (on MariaDB and MySQL, by the collation).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

# Binary and without padding: letter case, accents and trailing blanks are significant.
MARIADB_COLLATION: Final = "utf8mb4_nopad_bin"
MYSQL_COLLATION: Final = "utf8mb4_0900_bin"
_SQLITE: Final = "django.db.backends.sqlite3"
_POSTGRESQL: Final = "django.db.backends.postgresql"
CONNECT_SECONDS: Final = 5
# Without this, TCP gives up a dead server only after about 15 minutes.
_DEAD_PEER_SECONDS: Final = 20
_LOCK_SECONDS: Final = 10


def build_database_settings(parsed: dict[str, Any]) -> dict[str, Any]:
    """Return Django's settings for a parsed `DATABASE_URL`."""
    settings = _vendor_settings(parsed["ENGINE"], str(parsed["NAME"]))
    # Options in the URL, such as ?sslmode=require, take precedence.
    settings["OPTIONS"] |= parsed.get("OPTIONS", {})
    return {
        **parsed,
        # No transaction is open while a body is received or sent.
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        **settings,
    }


def _vendor_settings(engine: str, name: str) -> dict[str, Any]:
    if engine == _SQLITE:
        _check_absolute(Path(name))
        _check_writable(Path(name))
        return _sqlite()
    return _postgresql() if engine == _POSTGRESQL else _mariadb()


def _check_absolute(path: Path) -> None:
    """Raise ImproperlyConfigured for a path that means another file to each process."""
    if not path.is_absolute():
        raise ImproperlyConfigured(
            f"DATABASE_URL names the SQLite file {path}, which depends on the folder in which a "
            f"command is run. Give the whole path: sqlite:///{Path.cwd() / path}"
        )


def _check_writable(path: Path) -> None:
    """Raise ImproperlyConfigured if the file exists and it or its folder is not writable."""
    is_usable = path.is_file() and os.access(path, os.R_OK | os.W_OK)
    if path.exists() and not (is_usable and os.access(path.parent, os.W_OK | os.X_OK)):
        raise ImproperlyConfigured(
            f"The database is {path}, which cannot be written to. Give the user that Timba "
            "runs as the right to, for the file and its folder."
        )


def _sqlite() -> dict[str, Any]:
    # FULL, unlike NORMAL, makes an acknowledged write survive a power failure.
    # IMMEDIATE: a transaction waits for the write lock at its start instead of failing half-way.
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
    return {
        "ENGINE": "timba.db.sqlite",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": pragmas},
    }


def _postgresql() -> dict[str, Any]:
    # Only installations that use PostgreSQL load its driver.
    from django.db.backends.postgresql.psycopg_any import IsolationLevel  # noqa: PLC0415

    return {
        "ENGINE": "timba.db.postgresql",
        "OPTIONS": {
            "isolation_level": IsolationLevel.READ_COMMITTED,
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": _DEAD_PEER_SECONDS,
            "tcp_user_timeout": _DEAD_PEER_SECONDS * 1000,
        },
    }


def _mariadb() -> dict[str, Any]:
    modes = "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"
    return {
        "ENGINE": "timba.db.mysql",
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "connect_timeout": CONNECT_SECONDS,
            # Django takes the server's current time for UTC.
            "init_command": f"SET sql_mode='{modes}', time_zone='+00:00', "
            f"innodb_lock_wait_timeout={_LOCK_SECONDS}",
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": MARIADB_COLLATION},
    }
