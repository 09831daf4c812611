"""Breaks a database under a test, for real: to be given to `connection.execute_wrapper`."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection


def spoil(word: str, other: str) -> Callable[..., object]:
    """Have the database asked for a table that it has not."""

    def execute(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        return execute(sql.replace(word, other), *arguments)

    return execute


def break_at(word: str) -> Callable[..., object]:
    """Have the connection break when a statement names this: SQLite's gives each one up."""

    def execute(execute: Callable[..., object], sql: str, *arguments: object) -> object:
        if word in sql and connection.vendor == "sqlite":
            connection.connection.set_progress_handler(lambda: 1, 1)
        elif word in sql:
            connection.connection.close()
        return execute(sql, *arguments)

    return execute
