"""Queries that Django compiles once per process: compiling one takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=models.Model)


class Parameter(models.Expression):
    """Stands for a value in the conditions of a query; each run gives another one."""

    def __init__(self, position: int, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.position = position

    def as_sql(self, compiler: Any, connection: Any) -> Any:  # noqa: ARG002 - Django's signature
        return "%s", [self]

    def value_in(self, values: Sequence[Any]) -> Any:
        """Return its value as the database takes it."""
        value = values[self.position]
        return self.output_field.get_db_prep_value(value, connection, prepared=False)


class PreparedQuery(Generic[M]):
    """The rows of a queryset with parameters in its conditions. Safe for threads."""

    def __init__(
        self, build: Callable[..., models.QuerySet[M]], *fields: models.Field[Any, Any]
    ) -> None:
        """Prepare `build(*parameters)`; each parameter takes the values of one of the fields."""
        self._build, self._fields = build, fields

    def rows(self, *values: Any) -> list[M]:
        """Return the rows for these values, with what the queryset selects of related rows.

        Raises OverflowError or ValueError for a value that the database cannot compare.
        """
        compiled = self._compiled
        parameters = [
            parameter.value_in(values) if isinstance(parameter, Parameter) else parameter
            for parameter in compiled.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            return [compiled.instance(row) for row in cursor.fetchall()]

    @cached_property
    def _compiled(self) -> _CompiledQuery:
        parameters = [Parameter(position, field) for position, field in enumerate(self._fields)]
        return _compile(self._build(*parameters))


@dataclass(frozen=True, kw_only=True, slots=True)
class _CompiledQuery:
    sql: str
    parameters: tuple[Any, ...]
    model: type[models.Model]
    columns: slice
    attributes: list[str]
    # By column, what converts its values, and the expression that it selects.
    converters: list[tuple[int, tuple[list[Any], Any]]]
    populators: list[Any]

    def instance(self, row: Sequence[Any]) -> Any:
        """Return a model instance, as Django's `ModelIterable` does."""
        values = list(row)
        for column, (functions, expression) in self.converters:
            for function in functions:
                values[column] = function(values[column], expression, connection)
        found = self.model.from_db(connection.alias, self.attributes, values[self.columns])
        for populator in self.populators:
            populator.populate(values, found)
        return found


def _compile(rows: models.QuerySet[Any]) -> _CompiledQuery:
    compiler = rows.query.get_compiler(connection.alias)
    sql, parameters = compiler.as_sql()
    selected, selection = compiler.select, compiler.klass_info
    columns = slice(selection["select_fields"][0], selection["select_fields"][-1] + 1)
    return _CompiledQuery(
        sql=sql,
        parameters=parameters,
        model=selection["model"],
        columns=columns,
        attributes=[column[0].target.attname for column in selected[columns]],
        converters=list(compiler.get_converters([column[0] for column in selected]).items()),
        # The stubs are those of a later version of Django.
        populators=get_related_populators(selection, selected, connection.alias),  # type: ignore[call-arg]
    )
