"""Marks a database into which a restore is being made, so that nothing uses it half-restored.

The mark is a table of its own: it exists before Timba's tables do, and while they are replaced.
"""

from __future__ import annotations

from typing import Final

from django.core.management import CommandError
from django.db import connection

TABLE: Final = "timba_unfinished_restore"


def set_mark(snapshot: str) -> None:
    """Mark the database, unless an interrupted restore has done so."""
    if unfinished_restore() is None:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {TABLE} (snapshot varchar(100) NOT NULL)")
            cursor.execute(f"INSERT INTO {TABLE} (snapshot) VALUES (%s)", [snapshot])  # noqa: S608 - a constant


def clear_mark() -> None:
    """Remove the mark: the restore is complete."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")


def unfinished_restore() -> str | None:
    """Return the snapshot whose restore has not ended, or None."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return None
        cursor.execute(f"SELECT snapshot FROM {TABLE}")  # noqa: S608 - a constant
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def check_not_being_restored() -> None:
    """Raise CommandError for a database with an unfinished restore."""
    snapshot = unfinished_restore()
    if snapshot is not None:
        raise CommandError(
            f"The restore of the backup {snapshot} into this database has not ended. If it was "
            "interrupted, run `restore` with the same folder again; Timba starts once it is done."
        )
