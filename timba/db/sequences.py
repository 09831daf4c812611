"""The numbers that a database gives to new rows: a restored one must not give any number again.

The highest id in a table is not enough: rows that were deleted had higher ones, and events still
refer to them.
"""

from __future__ import annotations

from django.db import connection
from django.db.models import AutoField, Model


def has_sequence(model: type[Model]) -> bool:
    """Return whether the database numbers the rows of this model."""
    return isinstance(model._meta.pk, AutoField)


def last_number(model: type[Model]) -> int:
    """Return the highest number that was given to a row of this model, 0 if none was."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        elif connection.vendor == "postgresql":
            sequence = _postgresql_sequence(model)
            cursor.execute(f"SELECT last_value - 1 + is_called::int FROM {sequence}")  # noqa: S608 - the database's own name
        else:
            cursor.execute(
                "SELECT auto_increment - 1 FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = %s",
                [table],
            )
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def set_last_number(model: type[Model], number: int) -> None:
    """Let the database number the next row `number` + 1; all rows have lower numbers than that."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)",
                [model._meta.db_table, number],
            )
        elif connection.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(%s::regclass, %s, false)", [_postgresql_sequence(model), number + 1]
            )
        else:
            cursor.execute(f"ALTER TABLE {table} AUTO_INCREMENT = {number + 1:d}")


def _postgresql_sequence(model: type[Model]) -> str:
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(model._meta.db_table)
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table, model._meta.pk.column])
        return str(cursor.fetchone()[0])
