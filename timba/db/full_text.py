"""Finds rows by their words with the full-text search of each database.

The rows' column `words` holds what `timba.db.text_search.index_words` returns. Each database has an
index of its own over it, which it keeps by itself whatever writes the rows:

- SQLite a table of FTS5 without contents, `<table>_index`, which triggers keep;
- PostgreSQL a generated column `vector` with a GIN index;
- MariaDB and MySQL a FULLTEXT index, which does not see what the same transaction has written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.sql.compiler import SQLCompiler

from timba.db.text_search import Term, TextQuery, mark_words

# SQL and its parameters.
_Condition = tuple[str, list[str]]
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
        (
            "ALTER TABLE {table} ADD COLUMN vector tsvector "
            "GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED"
        ),
        "CREATE INDEX {table}_vector ON {table} USING gin (vector)",
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


class IsFound(models.Func):
    """The condition that a row is named by a row of `texts` whose words match the query.

    `columns` of the row are compared with the columns of `texts` of these names. Only words with
    the marks of the given owners are searched: the time depends on their texts alone.
    """

    output_field = models.BooleanField()
    conditional = True

    def __init__(
        self,
        query: TextQuery,
        *,
        texts: type[models.Model],
        owners: Sequence[int],
        columns: dict[str, str],
    ) -> None:
        super().__init__(*(models.F(name) for name in columns.values()))
        self.query, self.texts, self.owners = query, texts, tuple(owners)
        self.columns = tuple(columns)

    def as_sql(  # type: ignore[override]  # without templates
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, list[Any]]:
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        columns = ", ".join(sql for sql, _ in compiled)
        table = self.texts._meta.db_table
        names = ", ".join(f"{table}.{name}" for name in self.columns)
        condition, params = _CONDITIONS[connection.vendor](table, self.query.terms, self.owners)
        sql = f"({columns}) IN (SELECT {names} FROM {table} WHERE {condition})"  # noqa: S608 - names
        return sql, [*(param for _, each in compiled for param in each), *params]


def find(
    query: TextQuery, *, texts: type[models.Model], owners: Sequence[int], columns: dict[str, str]
) -> models.Q | IsFound:
    """Return the condition of `IsFound`; a query without words, or of no owner, finds nothing."""
    if not query.terms or not owners:
        return models.Q(pk__in=[])
    return IsFound(query, texts=texts, owners=owners, columns=columns)


def _sqlite(table: str, terms: Sequence[Term], owners: Sequence[int]) -> _Condition:
    def write(term: Term, owner: int) -> str:
        words = " ".join(mark_words(term.words, owner=owner))
        return f"{words} *" if term.is_prefix else f'"{words}"'

    search = _write_search(terms, owners, write, either=" OR ", both=" AND ")
    # The index is asked first, and the rows are read by their numbers, which it has.
    found = f"SELECT rowid FROM {table}_index WHERE {table}_index MATCH %s"  # noqa: S608 - a name
    return f"{table}.id IN ({found})", [search]


def _postgresql(table: str, terms: Sequence[Term], owners: Sequence[int]) -> _Condition:
    def write(term: Term, owner: int, then: str = " <-> ") -> str:
        words = then.join(mark_words(term.words, owner=owner))
        return f"{words}:*" if term.is_prefix else f"({words})"

    search = _write_search(terms, owners, write, either=" | ", both=" & ")
    indexed = f"{table}.vector @@ %s::tsquery"
    text = f"' ' || translate({table}.words, chr(10), ' ') || ' '"
    phrases, params = _phrases(terms, owners, f"strpos({text}, %s) > 0")
    if not params:
        return indexed, [search]
    # Where positions are missing, phrases are looked for in the words themselves.
    loose = _write_search(terms, owners, partial(write, then=" & "), either=" | ", both=" & ")
    return (
        (
            f"({indexed} AND NOT {table}.exceeds_positions"
            f" OR {indexed} AND {table}.exceeds_positions AND {phrases})"
        ),
        [search, loose, *params],
    )


def _mysql(table: str, terms: Sequence[Term], owners: Sequence[int]) -> _Condition:
    """Look for phrases in the words themselves: with several owners, InnoDB misses some of them."""

    def write(term: Term, owner: int) -> str:
        (word,) = mark_words(term.words, owner=owner)
        return f"{word}*" if term.is_prefix else word

    words = [Term(words=(word,), is_prefix=term.is_prefix) for term in terms for word in term.words]
    search = "+" + _write_search(words, owners, write, either=" ", both=" +")
    text = f"CONCAT(' ', REPLACE({table}.words, '\\n', ' '), ' ')"
    phrases, params = _phrases(terms, owners, f"INSTR({text}, %s) > 0")
    indexed = f"MATCH ({table}.words) AGAINST (%s IN BOOLEAN MODE)"
    return (f"{indexed} AND {phrases}" if params else indexed), [search, *params]


def _write_search(
    terms: Sequence[Term],
    owners: Sequence[int],
    write: Callable[[Term, int], str],
    *,
    either: str,
    both: str,
) -> str:
    """Return a search for all terms, each with the mark of one of the owners."""
    return both.join(f"({either.join(write(term, owner) for owner in owners)})" for term in terms)


def _phrases(terms: Sequence[Term], owners: Sequence[int], contains: str) -> _Condition:
    """Return the condition that the words themselves contain all terms of several words."""
    phrases = [
        [f" {' '.join(mark_words(term.words, owner=owner))} " for owner in owners]
        for term in terms
        if len(term.words) > 1
    ]
    each = (f"({' OR '.join([contains] * len(phrase))})" for phrase in phrases)
    return " AND ".join(each), [param for phrase in phrases for param in phrase]


_CONDITIONS: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}
