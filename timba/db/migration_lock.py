"""Lets one process at a time change the tables, however many machines start at the same moment."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from django.db import connection

from timba.folder_lock import folder_lock

_POLL_SECONDS: Final = 0.2
_log = structlog.get_logger(__name__)


@contextmanager
def migration_lock() -> Iterator[None]:
    """Hold the database's lock for migrations during the context; wait until it is free.

    The server releases it when the connection ends, so a killed process leaves no lock. The lock is
    polled for: PostgreSQL would count a waiting statement among those that `CREATE INDEX
    CONCURRENTLY`, in a migration of the holder, waits for.
    """
    if connection.vendor == "sqlite":
        folder = Path(connection.settings_dict["NAME"]).parent
        with folder_lock(folder, if_held=_log_wait):
            yield
        return
    acquire, release, key = _statements()
    _wait_for(lambda: bool(_select(acquire, key)))
    try:
        yield
    finally:
        _select(release, key)


def _statements() -> tuple[str, str, int | str]:
    """Return the statements that acquire and release the lock, and its key."""
    if connection.vendor == "postgresql":
        digest = hashlib.sha256(b"timba migrations").digest()
        key = int.from_bytes(digest[:8], signed=True)  # of this database only
        return "SELECT pg_try_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)", key
    # MariaDB's locks belong to the server: the key includes the database.
    digest = hashlib.sha256(str(connection.settings_dict["NAME"]).encode()).digest()
    name = f"timba-migrations-{digest.hex()[:32]}"
    return "SELECT GET_LOCK(%s, 0)", "SELECT RELEASE_LOCK(%s)", name


def _wait_for(acquire: Callable[[], bool]) -> None:
    if acquire():
        return
    _log_wait()
    while not acquire():
        time.sleep(_POLL_SECONDS)


def _log_wait() -> None:
    _log.info("another process migrates the database; this one waits for it")


def _select(statement: str, key: int | str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])
        return cursor.fetchone()[0]
