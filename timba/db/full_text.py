"""Finds rows by their words with the full-text search of each database.

See `timba.db.full_text_index` for the indexes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any, Final, TypeVar

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from timba.db.text_search import Term, TextQuery, mark_words

# SQL and its parameters.
_Condition = tuple[str, list[Any]]
_Rows = TypeVar("_Rows", bound="models.QuerySet[Any]")
_NOTHING: Final = models.Q(pk__in=[])
# InnoDB collects all texts with a word before it returns the first one, then fetches each by itself
# in some 5 µs. Words that are common in a list are therefore looked for in the texts of the list
# itself, in its order, until a page is full: those of which that many among its first rows have a
# match. Phrases pay sooner: the index finds all texts that have their words anywhere. The list of
# several owners has no index in its order, so all its texts would be read.
_SAMPLE: Final = 100
_COMMON: Final = 10
_COMMON_PHRASES: Final = 2
# More rows than these are not looked up.
_MANY: Final = 1000


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
        columns: Mapping[str, str],
    ) -> None:
        super().__init__(*(models.F(name) for name in columns.values()))
        self.terms, self.texts, self.owners = query.terms, texts, tuple(owners)
        self.columns = dict(columns)
        self.reads_texts = False

    def as_sql(  # type: ignore[override]  # without templates
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> _Condition:
        compiled = [compiler.compile(each)[0] for each in self.get_source_expressions()]
        row = dict(zip(self.columns, compiled, strict=True))
        write = _mysql_reading if self.reads_texts else _CONDITIONS[connection.vendor]
        return write(self.texts._meta.db_table, row, self.terms, self.owners)

    def reading_texts(self) -> IsFound:
        """Return the condition of one owner for MariaDB without its index: the words are read."""
        copy: IsFound = self.copy()
        copy.reads_texts = True
        return copy

    def look_up(self) -> models.Q | None:
        """Return the same condition by the values that MariaDB finds; None if they are many."""
        table = self.texts._meta.db_table
        condition, params = _mysql_words(self.terms, self.owners)
        found = f"SELECT {_names(self.columns)} FROM {table} searched WHERE {condition}"  # noqa: S608 - names
        with connection.cursor() as cursor:
            cursor.execute(f"{found} LIMIT {_MANY + 1}", params)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        if len(rows) > _MANY:
            return None
        # The first column is the key of the row, the others have few values.
        key, *others = self.columns.values()
        keys = defaultdict(list)
        for first, *values in rows:
            keys[tuple(values)].append(first)
        same = (
            models.Q(**{f"{key}__in": found}, **dict(zip(others, values, strict=True)))
            for values, found in keys.items()
        )
        return reduce(or_, same, _NOTHING)


def find(
    query: TextQuery,
    *,
    texts: type[models.Model],
    owners: Sequence[int],
    columns: Mapping[str, str],
) -> models.Q | IsFound:
    """Return the condition of `IsFound`; a query without words, or of no owner, finds nothing."""
    if not query.terms or not owners:
        return _NOTHING
    is_found = IsFound(query, texts=texts, owners=owners, columns=columns)
    if connection.vendor != "mysql":
        return is_found
    return is_found.look_up() or is_found


def filter_found(
    rows: _Rows,
    query: TextQuery,
    *,
    texts: type[models.Model],
    owners: Sequence[int],
    columns: Mapping[str, str],
    also: models.Q,
) -> _Rows:
    """Filter rows by the condition of `IsFound`, or by another one that no index answers.

    The rows are in the order in which they are most often listed.
    """
    if not query.terms or not owners:
        return rows.filter(also)
    is_found = IsFound(query, texts=texts, owners=owners, columns=columns)
    if connection.vendor != "mysql":
        return rows.filter(also | models.Q(is_found))
    if len(owners) == 1 and _is_common(reading := is_found.reading_texts(), rows):
        return rows.filter(also | models.Q(reading))
    found = is_found.look_up()
    if found is None:
        return rows.filter(also | models.Q(is_found))
    # InnoDB decodes all columns of each row that a list looks at, here only a few.
    keys = list(rows.filter(also).order_by().values_list("pk", flat=True)[: _MANY + 1])
    return rows.filter((also if len(keys) > _MANY else models.Q(pk__in=keys)) | found)


def _is_common(reading: IsFound, rows: models.QuerySet[Any]) -> bool:
    """Return whether the condition is met by many of the first rows."""
    sample = rows.values_list(reading, flat=True)[:_SAMPLE]
    return sum(map(bool, sample)) >= (_COMMON_PHRASES if _long(reading.terms) else _COMMON)


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
    # Blocks without words are several ends of lines between two words.
    text = (
        "' ' || CASE WHEN strpos(searched.words, chr(10) || chr(10)) = 0 "
        "THEN replace(searched.words, chr(10), ' ') "
        "ELSE regexp_replace(searched.words, '[[:space:]]+', ' ', 'g') END || ' '"
    )
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


def _mysql_reading(
    table: str, row: Mapping[str, str], terms: Sequence[Term], owners: Sequence[int]
) -> _Condition:
    conditions, params = _mysql_contains(terms, owners)
    return f"({_of_row(table, row, ' AND '.join(conditions))} > 0)", list(params)


def _mysql_words(terms: Sequence[Term], owners: Sequence[int]) -> _Condition:
    """Look for phrases in the words themselves: with several owners, InnoDB misses some of them."""

    def write(term: Term, owner: int) -> str:
        (word,) = mark_words(term.words, owner=owner)
        return f"{word}*" if term.is_prefix else word

    words = [Term(words=(word,), is_prefix=term.is_prefix) for term in terms for word in term.words]
    search = "+" + _write_search(words, owners, write, either=" ", both=" +")
    indexed = "MATCH (searched.words) AGAINST (%s IN BOOLEAN MODE)"
    phrases, params = _mysql_contains(_long(terms), owners)
    return " AND ".join((indexed, *phrases)), [search, *params]


def _mysql_contains(
    terms: Sequence[Term], owners: Sequence[int]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the conditions that the words themselves contain all terms, and their parameters.

    LIKE takes a third of the time of INSTR. Coded words have no character that is special to it.
    """
    blanks = "REPLACE(searched.words, '\n', ' ')"
    if _long(terms):
        # Blocks without words are several ends of lines between two words.
        is_simple = "searched.words NOT LIKE '%%\n\n%%'"
        blanks = f"IF({is_simple}, {blanks}, REGEXP_REPLACE(searched.words, '\n+', ' '))"
    text = f"CONCAT(' ', {blanks}, ' ')"
    marks = [f"'{mark}'" for owner in owners for mark in mark_words([""], owner=owner)]
    # The texts of several owners have the mark of their first word on all words.
    first = "SUBSTRING_INDEX(TRIM(LEADING '\n' FROM searched.words), 'w', 2)"
    own = f"CONCAT({first}, 'w')" if len(marks) > 1 else marks[0]
    conditions = [f"{text} LIKE REPLACE(%s, '@', {own})"] * len(terms)
    endings = ("%" if term.is_prefix else " %" for term in terms)
    words = (" @".join(term.words) for term in terms)
    return conditions, [f"% @{each}{end}" for each, end in zip(words, endings, strict=True)]


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
