"""Refuses a database that a newer Timba has migrated: older code would write rows that break it.

A migration that is applied and that the code does not know is a newer one's. Tables of packages
that Timba used once do not count. A migration that replaces others keeps naming them in `replaces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from timba import __version__
from timba.db.errors import database_errors, is_database_outage

_HINT: Final = "Install the version of Timba that migrated it, or restore a backup."


def check_database_is_not_newer(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    databases: Sequence[str] | None = None,
    **_: Any,
) -> list[CheckMessage]:
    """Check that this version knows every migration that is applied."""
    return [
        Error(_describe(names), hint=_HINT, id="timba.E030")
        for alias in databases or []
        if (names := _newer_migrations(alias))
    ]


def refuse_newer_database() -> None:
    """Raise CommandError if a newer Timba has migrated the database.

    While the database is unavailable, nothing is known, and nothing can be written either.
    """
    try:
        names = _newer_migrations(DEFAULT_DB_ALIAS)
    except database_errors() as error:
        if not is_database_outage(error):
            raise
        return
    if names:
        raise CommandError(f"{_describe(names)} {_HINT}")


def _newer_migrations(alias: str) -> list[str]:
    """Return the migrations of Timba's apps that are applied and not known, as `app.name`."""
    on_disk = MigrationLoader(None).disk_migrations
    known = {*on_disk, *(name for migration in on_disk.values() for name in migration.replaces)}
    own = {config.label for config in apps.get_app_configs() if config.name.startswith("timba.")}
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in applied.keys() - known if app in own)


def _describe(names: Sequence[str]) -> str:
    return (
        "The database was migrated by a newer Timba. "
        f"Version {__version__} does not know: {', '.join(names)}."
    )
