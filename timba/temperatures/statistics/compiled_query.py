"""A query whose SQL the ORM writes once in a process, for what is asked very often.

Writing it takes the ORM several times as long as the database takes to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Value


class CompiledQuery:
    """Rows of a query of the ORM, as plain tuples, for parameters that are given each time.

    `build` returns a `values_list`. It is called once, with an expression in the place of each
    parameter, so the parameters must not change the query but for these values. They are numbers,
    or what the database adapter takes.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *names: str) -> None:
        self._build, self._names = build, names

    def fetch(self, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows, with values as the ORM converts them."""
        sql, params, converters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, [values[p.name] if isinstance(p, _Name) else p for p in params])
            rows = [list(row) for row in cursor.fetchall()]
        for position, functions, expression in converters:
            for row in rows:
                for function in functions:
                    row[position] = function(row[position], expression, connection)
        return [tuple(row) for row in rows]

    @cached_property
    def _compiled(self) -> tuple[str, tuple[Any, ...], list[tuple[int, list[Any], Any]]]:
        query = self._build(**{name: Value(_Name(name)) for name in self._names}).query
        compiler = query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        columns = [expression for expression, *_ in compiler.select]
        converters = compiler.get_converters(columns)
        return (
            sql,
            params,
            [(position, *converter) for position, converter in converters.items()],
        )


class _Name:
    """Stands for the value of a parameter in compiled SQL."""

    def __init__(self, name: str) -> None:
        self.name = name
