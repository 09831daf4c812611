"""How Timba talks to each database, so that all three behave as one.

Isolation is READ COMMITTED, connections are kept and survive a restart of the server, times are
UTC, text is compared to the letter (SQLite and PostgreSQL do so by themselves, MariaDB by its
collation).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

# Binary and without padding: letter case, accents and trailing blanks all make a difference.
MARIADB_COLLATION: Final = "utf8mb4_nopad_bin"
MYSQL_COLLATION: Final = "utf8mb4_0900_bin"
_SQLITE: Final = "django.db.backends.sqlite3"
_POSTGRESQL: Final = "django.db.backends.postgresql"
_CONNECT_SECONDS: Final = 5
# A server that is gone without a word is given up after this, not after a quarter of an hour.
_SILENCE_SECONDS: Final = 20
_LOCK_SECONDS: Final = 10


def database(parsed: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    """Return Django's settings of the database that a parsed `DATABASE_URL` names."""
    own = _own_ways(parsed["ENGINE"], str(parsed["NAME"]), pool_size)
    # What the address says beside (as ?sslmode=require) is its people's to say.
    own["OPTIONS"] |= parsed.get("OPTIONS", {})
    return {
        **parsed,
        # No transaction is open while bytes flow.
        "ATOMIC_REQUESTS": False,
        "CONN_HEALTH_CHECKS": True,
        **own,
    }


def _own_ways(engine: str, name: str, pool_size: int) -> dict[str, Any]:
    if engine == _SQLITE:
        _refuse_unwritable(Path(name))
        return _sqlite()
    return _postgresql(pool_size) if engine == _POSTGRESQL else _mariadb()


def _refuse_unwritable(database: Path) -> None:
    """Refuse a file that is there and cannot be written to, or whose folder takes no other."""
    is_usable = database.is_file() and os.access(database, os.R_OK | os.W_OK)
    if database.exists() and not (is_usable and os.access(database.parent, os.W_OK | os.X_OK)):
        raise ImproperlyConfigured(
            f"The database is {database}, which cannot be written to. Give the user that Timba "
            "runs as the right to, for the file and its folder."
        )


def _sqlite() -> dict[str, Any]:
    # FULL: a 201 promises that the row survives a power cut, which NORMAL does not.
    # IMMEDIATE: a transaction that will write waits for its turn instead of failing half-way.
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
    return {
        "ENGINE": "timba.db.sqlite",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": pragmas},
    }


def _postgresql(pool_size: int) -> dict[str, Any]:
    # Its driver is loaded where it is used.
    from django.db.backends.postgresql.psycopg_any import IsolationLevel  # noqa: PLC0415

    return {
        "OPTIONS": {
            "isolation_level": IsolationLevel.READ_COMMITTED,
            "connect_timeout": _CONNECT_SECONDS,
            "keepalives_idle": _SILENCE_SECONDS,
            "tcp_user_timeout": _SILENCE_SECONDS * 1000,
            "pool": {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": _CONNECT_SECONDS,
                # Given up so soon, it begins anew with the next request; otherwise its pauses
                # grow until Timba stays away as long again as the server did.
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
            # Django asks the server what time it is, and takes the answer for UTC.
            "init_command": f"SET sql_mode='{modes}', time_zone='+00:00', "
            f"innodb_lock_wait_timeout={_LOCK_SECONDS}",
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": MARIADB_COLLATION},
    }
