"""Applies migrations in tests: to a state of one app, and to that of today."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps


def migrate(app: str, name: str) -> StateApps:
    """Migrate an app to a migration; return the models of then, and those of today of others."""
    MigrationExecutor(connection).migrate([(app, name)])
    loader = MigrationExecutor(connection).loader
    others = [key for key in loader.graph.leaf_nodes() if key[0] != app]
    apps: StateApps = loader.project_state([*others, (app, name)]).apps
    return apps


def migrate_to_latest() -> None:
    """Apply every migration: what goes back takes the migrations of other apps with it."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
