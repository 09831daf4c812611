"""Simulates a concurrent writer: changes a row between a request's read and its write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def change_after_first_read(table: str, change: Callable[[], object]) -> Iterator[None]:
    """Call `change` right after the first statement that reads the table.

    The block must contain such a statement.
    """
    reads: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if not reads and f'FROM "{table}"' in sql.replace("`", '"'):
            reads.append(sql)
            change()
        return result

    with connection.execute_wrapper(watch):
        yield
    assert reads
