"""Compares the migrations of the database with those of this version of Timba."""

from __future__ import annotations

from django.core.management import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from timba.db.newer_migrations import refuse_newer_database
from timba.installation import COMMAND


def applied_migrations() -> list[tuple[str, str]]:
    """Return (app, name) of each migration of this version.

    Raises CommandError unless the database has exactly these.
    """
    refuse_newer_database()
    loader = MigrationLoader(connection)
    own = set(loader.graph.nodes)
    if not own <= set(loader.applied_migrations):
        raise CommandError(
            f"The database does not have the tables of this version of Timba yet: run `{COMMAND} "
            "migrate`, or start Timba, first."
        )
    return sorted(own)
