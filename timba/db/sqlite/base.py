"""SQLite with what it lacks: case folding beyond ASCII, and ids that are never given again."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from timba.db.sqlite.schema import DatabaseSchemaEditor
from timba.db.text import SQLITE_FOLD, fold_case


class DatabaseWrapper(base.DatabaseWrapper):
    """A SQLite connection with the function `SQLITE_FOLD`."""

    SchemaEditorClass = DatabaseSchemaEditor

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        connection: sqlite3.Connection = super().get_new_connection(conn_params)
        connection.create_function(SQLITE_FOLD, 1, _fold_or_null, deterministic=True)
        return connection


def _fold_or_null(text: str | None) -> str | None:
    return None if text is None else fold_case(text)
