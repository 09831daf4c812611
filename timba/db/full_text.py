"""Finds rows by their words with the full-text search of each database.

The rows' column `words` holds what `timba.db.text_search.index_words` returns. Each database has an
index of its own over it, which it keeps by itself whatever writes the rows:

- SQLite a table of FTS5 without contents, `<table>_index`, which triggers keep;
- PostgreSQL a generated column `vector` with a GIN index;
- MariaDB and MySQL a FULLTEXT index, which does not see what the same transaction has written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.sql.compiler import SQLCompiler

from timba.db.text_search import Term, TextQuery, mark_words

# SQL and its parameters.
_Condition = tuple[str, list[Any]]
# MariaDB needs some 10 µs for each row that it finds. More rows than these it does not look up:
# instead, it looks at the texts of a list in the list's order, until its page is full.
_MANY: Final = 1000
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
        # The values of the columns in texts that are found, if they are looked up before, and few.
        self.found: Sequence[tuple[Any, ...]] | None = None
        if connection.vendor == "mysql":
            self.found = self._look_up()

    def as_sql(  # type: ignore[override]  # without templates
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> _Condition:
        compiled = [compiler.compile(each)[0] for each in self.get_source_expressions()]
        row = dict(zip(self.columns, compiled, strict=True))
        table = self.texts._meta.db_table
        if self.found is not None:
            return _is_among(row, self.found)
        return _CONDITIONS[connection.vendor](table, row, self.query.terms, self.owners)

    def _look_up(self) -> Sequence[tuple[Any, ...]] | None:
        """Return the values of the columns in the texts that are found; None if they are many."""
        table = self.texts._meta.db_table
        condition, params = _mysql_words(self.query.terms, self.owners)
        found = f"SELECT {_names(self.columns)} FROM {table} searched WHERE {condition}"  # noqa: S608 - names
        with connection.cursor() as cursor:
            cursor.execute(f"{found} LIMIT {_MANY + 1}", params)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return rows if len(rows) <= _MANY else None


def find(
    query: TextQuery, *, texts: type[models.Model], owners: Sequence[int], columns: dict[str, str]
) -> models.Q | IsFound:
    """Return the condition of `IsFound`; a query without words, or of no owner, finds nothing."""
    if not query.terms or not owners:
        return models.Q(pk__in=[])
    return IsFound(query, texts=texts, owners=owners, columns=columns)


def _sqlite(
    table: str, row: Mapping[str, str], terms: Sequence[Term], owners: Sequence[int]
) -> _Condition:
    def write(term: Term, owner: int) -> str:
        words = " ".join(mark_words(term.words, owner=owner))
        return f"{words} *" if term.is_prefix else f'"{words}"'

    search = _write_search(terms, owners, write, either=" OR ", both=" AND ")
    found = f"SELECT rowid FROM {table}_index WHERE {table}_index MATCH %s"  # noqa: S608 - a name
    # The key of a row's text is in the index of the columns, so that no text is read; the plus
    # keeps SQLite from reading all texts that are found.
    condition = f"{_same(row)} AND +searched.id IN ({found})"
    return f"EXISTS (SELECT 1 FROM {table} searched WHERE {condition})", [search]  # noqa: S608 - names


def _postgresql(
    table: str, row: Mapping[str, str], terms: Sequence[Term], owners: Sequence[int]
) -> _Condition:
    """Ask the index for the words alone, and compare their positions while the list is read."""

    def write(term: Term, owner: int, then: str = " <-> ") -> str:
        words = then.join(mark_words(term.words, owner=owner))
        return f"{words}:*" if term.is_prefix else f"({words})"

    loose = _write_search(terms, owners, partial(write, then=" & "), either=" | ", both=" & ")
    texts = f"SELECT {_names(row)} FROM {table} searched WHERE searched.vector @@ %s::tsquery"  # noqa: S608 - names
    found = f"({', '.join(row.values())}) IN ({texts})"
    text = "' ' || translate(searched.words, chr(10), ' ') || ' '"
    phrases, params = _phrases(terms, owners, f"strpos({text}, %s) > 0")
    if not params:
        return found, [loose]
    search = _write_search(_long(terms), owners, write, either=" | ", both=" & ")
    # Where positions are missing, phrases are looked for in the words themselves.
    checked = (
        f"CASE WHEN searched.exceeds_positions THEN {phrases} "
        "ELSE searched.vector @@ %s::tsquery END"
    )
    # No EXISTS, which PostgreSQL may run for all texts at once.
    return f"({found} AND {_of_row(table, row, checked)})", [loose, *params, search]


def _mysql(
    table: str, row: Mapping[str, str], terms: Sequence[Term], owners: Sequence[int]
) -> _Condition:
    condition, params = _mysql_words(terms, owners)
    # Without the comparison, the relevance would be cut to a whole number.
    return f"({_of_row(table, row, condition)} > 0)", params


def _is_among(row: Mapping[str, str], found: Sequence[tuple[Any, ...]]) -> _Condition:
    """Return the condition that a row has some of these values."""
    if not found:
        return "FALSE", []
    columns = list(row.values())
    # MariaDB searches a list of single values, but compares each row of a list of rows.
    first = f"{columns[0]} IN ({', '.join(['%s'] * len(found))})"
    one = f"({', '.join(['%s'] * len(columns))})"
    rows = f"({', '.join(columns)}) IN ({', '.join([one] * len(found))})"
    return f"({first} AND {rows})", [*(each[0] for each in found), *chain.from_iterable(found)]


def _mysql_words(terms: Sequence[Term], owners: Sequence[int]) -> _Condition:
    """Look for phrases in the words themselves: with several owners, InnoDB misses some of them."""

    def write(term: Term, owner: int) -> str:
        (word,) = mark_words(term.words, owner=owner)
        return f"{word}*" if term.is_prefix else word

    words = [Term(words=(word,), is_prefix=term.is_prefix) for term in terms for word in term.words]
    search = "+" + _write_search(words, owners, write, either=" ", both=" +")
    indexed = "MATCH (searched.words) AGAINST (%s IN BOOLEAN MODE)"
    text = "CONCAT(' ', REPLACE(searched.words, '\\n', ' '), ' ')"
    phrases, params = _phrases(terms, owners, f"INSTR({text}, %s) > 0")
    return (f"{indexed} AND {phrases}" if params else indexed), [search, *params]


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"searched.{name}" for name in columns)


def _same(row: Mapping[str, str]) -> str:
    """Return the condition that a text is the one of a row of the list."""
    return " AND ".join(f"searched.{name} = {column}" for name, column in row.items())


def _of_row(table: str, row: Mapping[str, str], condition: str) -> str:
    """Return a condition of the row's text that is evaluated for each row of the list by itself."""
    return f"(SELECT {condition} FROM {table} searched WHERE {_same(row)})"  # noqa: S608 - names


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
        for term in _long(terms)
    ]
    each = (f"({' OR '.join([contains] * len(phrase))})" for phrase in phrases)
    return " AND ".join(each), [param for phrase in phrases for param in phrase]


def _long(terms: Sequence[Term]) -> Sequence[Term]:
    return [term for term in terms if len(term.words) > 1]


_CONDITIONS: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}
