"""Queries whose SQL Django writes once per process: writing it takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection, models
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=models.Model)


class CompiledQuery:
    """The rows of a queryset with parameters, as lists of values. Safe for threads."""

    def __init__(
        self, build: Callable[..., models.QuerySet[Any, Any]], *fields: models.Field[Any, Any]
    ) -> None:
        """Prepare `build(*parameters)`, which is called once.

        Each parameter stands for the values that one of the fields takes; they may not change the
        query otherwise.
        """
        self._build, self._fields = build, fields

    def fetch(self, *values: Any) -> list[list[Any]]:
        """Return the rows for these values, as the queryset's `values_list` would.

        Raises OverflowError or ValueError for a value that the database cannot compare.
        """
        compiled = self._compiled
        parameters = [
            parameter.value_in(values) if isinstance(parameter, _Parameter) else parameter
            for parameter in compiled.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            rows = [list(row) for row in cursor.fetchall()]
        for column, (functions, expression) in compiled.converters:
            for row in rows:
                for function in functions:
                    row[column] = function(row[column], expression, connection)
        return rows

    @cached_property
    def _compiled(self) -> _CompiledSQL:
        fields = enumerate(self._fields)
        query = self._build(*[_Parameter(position, field) for position, field in fields]).query
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        selected = [column for column, *_ in compiler.select]
        return _CompiledSQL(
            sql=sql,
            parameters=parameters,
            select=compiler.select,
            model_info=compiler.klass_info,
            converters=list(compiler.get_converters(selected).items()),
        )


class CompiledRows(CompiledQuery, Generic[M]):
    """The rows of a queryset with parameters, as model instances with what it selects of others."""

    def get(self, *values: Any) -> list[M]:
        """Return the instances for these values; raise what `fetch` raises."""
        instance_of = self._instance_of
        return [instance_of(row) for row in self.fetch(*values)]

    @cached_property
    def _instance_of(self) -> Callable[[list[Any]], M]:
        """Return the function that turns a row into an instance, as Django's `ModelIterable`."""
        info, select, alias = self._compiled.model_info, self._compiled.select, connection.alias
        columns = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
        attributes = [column.target.attname for column, *_ in select[columns]]
        # The stubs are those of a later version of Django.
        populators = get_related_populators(info, select, alias)  # type: ignore[call-arg]

        def instance_of(row: list[Any]) -> M:
            instance: M = info["model"].from_db(alias, attributes, row[columns])
            for populator in populators:
                populator.populate(row, instance)
            return instance

        return instance_of


class _CompiledSQL(NamedTuple):
    """What Django's compiler makes of a query."""

    sql: str
    parameters: Sequence[Any]
    select: Sequence[Any]
    model_info: dict[str, Any]
    # By column: the functions that convert its values, and the expression that it selects.
    converters: list[tuple[int, tuple[list[Any], Any]]]


class _Parameter(models.Expression):
    """Stands for a value of a field; each run of the query gives another one."""

    def __init__(self, position: int, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self._position = position

    def as_sql(self, compiler: Any, connection: Any) -> Any:  # noqa: ARG002 - Django's signature
        return "%s", [self]

    def value_in(self, values: Sequence[Any]) -> Any:
        """Return its value as the database takes it."""
        value = values[self._position]
        value = self.output_field.get_db_prep_value(value, connection, prepared=False)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            # PostgreSQL would read the whole table: no index compares such numbers.
            raise OverflowError("An integer has 64 bits at most.")
        return value
