"""A consistent view of all rows for long reads, which keeps no writer waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection, transaction


@contextmanager
def read_snapshot() -> Iterator[None]:
    """Let every query in this block see the rows as they were at its beginning; nothing is written.

    On SQLite, the write-ahead log grows until the block ends.
    """
    with _BEGIN[connection.vendor]():
        yield


@contextmanager
def _begin_on_sqlite() -> Iterator[None]:
    sqlite = cast("Any", connection)
    mode = sqlite.transaction_mode
    sqlite.transaction_mode = "DEFERRED"  # IMMEDIATE would take the write lock
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # A deferred transaction sees the rows as of its first query of a table.
            cursor.execute("SELECT count(*) FROM sqlite_master")
            cursor.fetchone()
            yield
    finally:
        sqlite.transaction_mode = mode


@contextmanager
def _begin_on_postgresql() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT 1")  # the transaction sees the rows as of its first query
        yield


@contextmanager
def _begin_on_mariadb() -> Iterator[None]:
    with connection.cursor() as cursor:
        # It applies to the next transaction.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield


_BEGIN = {
    "sqlite": _begin_on_sqlite,
    "postgresql": _begin_on_postgresql,
    "mysql": _begin_on_mariadb,
}
