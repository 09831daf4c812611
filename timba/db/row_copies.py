"""Copies rows from one table to another inside the database, with every value as it is stored."""

from __future__ import annotations

from typing import Any

from django.db import connection, models


def copy_rows(rows: models.QuerySet[Any], to: type[models.Model], **values: Any) -> int:
    """Insert the rows into the table of `to`; return their number.

    Fields of the same name are copied, so that times which are set by saving stay. `values` are
    those of the fields that only `to` has.
    """
    constants = {
        name: models.Value(value, output_field=to._meta.get_field(name))  # type: ignore[arg-type]
        for name, value in values.items()
    }
    source = {field.attname for field in rows.model._meta.concrete_fields}
    names = {
        field.attname: str(field.column)
        for field in to._meta.concrete_fields
        if field.attname in source or field.attname in constants
    }
    select, parameters = (
        rows.order_by().annotate(**constants).values_list(*names).query.sql_with_params()
    )
    quote = connection.ops.quote_name
    columns = ", ".join(quote(column) for column in names.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(to._meta.db_table)} ({columns}) {select}",
            parameters,
        )
        return int(cursor.rowcount)
