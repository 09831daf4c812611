"""Lets another writer come between the moment a request reads a row and the moment it writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def changed_once_it_is_read(table: str, change: Callable[[], object]) -> Iterator[None]:
    """Make the change right after the first look at a table."""
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if not seen and f'FROM "{table}"' in sql.replace("`", '"'):
            seen.append(sql)
            change()
        return result

    with connection.execute_wrapper(watch):
        yield
    assert seen
