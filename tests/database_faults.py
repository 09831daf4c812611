"""Real database errors for tests: wrappers for `connection.execute_wrapper`."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection


def replace_in_sql(old: str, new: str) -> Callable[..., object]:
    """Replace a name in every statement: the database then reports that the table is missing."""

    def execute(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        return execute(sql.replace(old, new), *arguments)

    return execute


def break_connection_at(word: str) -> Callable[..., object]:
    """Break the connection before a statement that contains `word`; on SQLite, interrupt it."""

    def execute(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        if word in sql and connection.vendor == "sqlite":
            connection.connection.set_progress_handler(lambda: 1, 1)
        elif word in sql:
            connection.connection.close()
        return execute(sql, *arguments)

    return execute
