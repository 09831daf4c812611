"""Keeps the counter of a table's ids where SQLite has to create the table anew."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import schema
from django.db.models import Model


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """A schema editor with which no id is ever given twice, as on the other databases.

    Django copies the rows to a new table, which would go on after the highest id among them: that
    of a row in the trash could be given again.
    """

    def _remake_table(self, model: type[Model], *args: Any, **options: Any) -> None:
        table = [model._meta.db_table]
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", table)
            counter = cursor.fetchone()
            super()._remake_table(model, *args, **options)  # type: ignore[misc]
            if counter is not None:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", table)
                cursor.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [*table, *counter]
                )
