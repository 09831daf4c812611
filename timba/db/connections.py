"""Settings of the database connections, chosen so that all three databases behave alike.

The isolation level is READ COMMITTED, connections are persistent and survive a restart of the
server, times are UTC, and text is compared exactly (on MariaDB and MySQL, by the collation).
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
_CONNECT_SECONDS: Final = 5
# Without this, TCP gives up a dead server only after about 15 minutes.
_DEAD_PEER_SECONDS: Final = 20
_LOCK_SECONDS: Final = 10


def build_database_settings(parsed: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    """Return Django's settings for a parsed `DATABASE_URL`."""
    settings = _vendor_settings(parsed["ENGINE"], str(parsed["NAME"]), pool_size)
    # Options in the URL, such as ?sslmode=require, take precedence.
    settings["OPTIONS"] |= parsed.get("OPTIONS", {})
    return {
        **parsed,
        # No transaction is open while a body is received or sent.
        "ATOMIC_REQUESTS": False,
        "CONN_HEALTH_CHECKS": True,
        **settings,
    }


def _vendor_settings(engine: str, name: str, pool_size: int) -> dict[str, Any]:
    if engine == _SQLITE:
        _check_absolute(Path(name))
        _check_writable(Path(name))
        return _sqlite()
    return _postgresql(pool_size) if engine == _POSTGRESQL else _mariadb()


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
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": pragmas},
    }


def _postgresql(pool_size: int) -> dict[str, Any]:
    # Only installations that use PostgreSQL load its driver.
    from django.db.backends.postgresql.psycopg_any import IsolationLevel  # noqa: PLC0415

    return {
        "OPTIONS": {
            "isolation_level": IsolationLevel.READ_COMMITTED,
            "connect_timeout": _CONNECT_SECONDS,
            "keepalives_idle": _DEAD_PEER_SECONDS,
            "tcp_user_timeout": _DEAD_PEER_SECONDS * 1000,
            "pool": {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": _CONNECT_SECONDS,
                # After this the pool stops retrying, and the next request starts a new attempt.
                # Otherwise its pauses grow, and an outage lasts up to twice as long for Timba.
                "reconnect_timeout": _CONNECT_SECONDS,
            },
        },
    }


def _mariadb() -> dict[str, Any]:
    modes = "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"
    return {
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "connect_timeout": _CONNECT_SECONDS,
            # Django takes the server's current time for UTC.
            "init_command": f"SET sql_mode='{modes}', time_zone='+00:00', "
            f"innodb_lock_wait_timeout={_LOCK_SECONDS}",
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": MARIADB_COLLATION},
    }
