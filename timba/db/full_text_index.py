"""The full-text index of each database over the column `words` of a table.

The column holds what `timba.db.text_search.index_words` returns. The database keeps the index by
itself, whatever writes the rows:

- SQLite a table of FTS5 without contents, `<table>_index`, which triggers keep;
- PostgreSQL a generated column `vector` with a GIN index;
- MariaDB and MySQL a FULLTEXT index, which does not see what the same transaction has written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# What SQLite keeps for a table of FTS5, which goes with it.
_SHADOWS: Final = ("data", "idx", "docsize", "config")

_INDEX: Final = {
    "sqlite": (
        (
            "CREATE VIRTUAL TABLE {table}_index USING fts5("
            "words, content='{table}', content_rowid='id', tokenize='ascii')"
        ),
        (
            "CREATE TRIGGER {table}_insert AFTER INSERT ON {table} BEGIN "
            "INSERT INTO {table}_index(rowid, words) VALUES (new.id, new.words); END"
        ),
        (
            "CREATE TRIGGER {table}_delete AFTER DELETE ON {table} BEGIN "
            "INSERT INTO {table}_index({table}_index, rowid, words) "
            "VALUES ('delete', old.id, old.words); END"
        ),
        (
            "CREATE TRIGGER {table}_update AFTER UPDATE OF id, words ON {table} BEGIN "
            "INSERT INTO {table}_index({table}_index, rowid, words) "
            "VALUES ('delete', old.id, old.words); "
            "INSERT INTO {table}_index(rowid, words) VALUES (new.id, new.words); END"
        ),
    ),
    "postgresql": (
        # Long values are kept outside the rows, so that many rows are read at once.
        "ALTER TABLE {table} SET (toast_tuple_target = 128)",
        (
            "ALTER TABLE {table} ADD COLUMN vector tsvector "
            "GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED"
        ),
        "CREATE INDEX {table}_vector ON {table} USING gin (vector)",
        # The planner does not know that it would have to fetch each vector to look for a word that
        # it knows to be common. Without statistics it takes every word for rare, and the index.
        "ALTER TABLE {table} ALTER COLUMN vector SET STATISTICS 0",
    ),
    "mysql": (
        (
            "ALTER TABLE {table} MODIFY words longtext CHARACTER SET ascii COLLATE ascii_bin "
            "NOT NULL, ADD FULLTEXT INDEX {table}_words (words)"
        ),
    ),
}


def create_index(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Create the index over the column `words` of a table whose key is `id`.

    A migration that makes Django build the table anew on SQLite, which drops its triggers, has to
    drop the index before, and to create it again.
    """
    for statement in _INDEX[schema_editor.connection.vendor]:
        # Without parameters, so that a statement with semicolons inside is not split.
        schema_editor.execute(statement.format(table=table), params=None)


def drop_index(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Drop what `create_index` has created, where the table itself stays."""
    statements = {
        "sqlite": (
            *(f"DROP TRIGGER {table}_{event}" for event in ("insert", "delete", "update")),
            f"DROP TABLE {table}_index",
        ),
        "postgresql": (f"ALTER TABLE {table} DROP COLUMN vector",),
        "mysql": (f"ALTER TABLE {table} DROP INDEX {table}_words",),
    }
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def index_tables(table: str) -> Sequence[str]:
    """Return the tables that SQLite keeps as the index of a table: they go with the first."""
    return (f"{table}_index", *(f"{table}_index_{shadow}" for shadow in _SHADOWS))
