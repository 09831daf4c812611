"""Finds the table of a temperature file: its delimiter, its header and the rows beneath."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from timba.files.wording import fold
from timba.temperatures.layout.answers import DELIMITERS, TEMPERATURE
from timba.temperatures.layout.header_cells import CAMEL_CASE, HeaderCell, parse_header
from timba.temperatures.layout.header_words import (
    DOUBTFUL,
    OTHER,
    SIGNS_OF_TEMPERATURE,
    UNIT,
    VALUE,
    WHEN,
    WORDS_OF_TIME,
    WORDS_OF_UNIT,
)
from timba.temperatures.layout.layouts import PLAIN_FIELDS
from timba.temperatures.layout.plain_headers import is_column_name, is_plain_header
from timba.temperatures.layout.values import CITY as CITY_NUMBER
from timba.temperatures.layout.values import DATE, MOMENT, NUMBER, TIME
from timba.temperatures.lines.splitting import split_fields

MAX_PREAMBLE: Final = 100
# Cells, and tens of characters, that are looked at in search of a header: each costs as much as
# many lines.
_MAX_SEARCHED: Final = 300
_MAX_COLUMNS: Final = 256
# Rows that tell what the columns hold.
SAMPLE: Final = 50
# Characters of a line that are looked at.
MAX_LINE: Final = 4000
# A row of units, or the first row of a table, may be unlike the others.
_UNLIKE_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file, with its number from 1 and its fields."""

    number: int
    line: str
    fields: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The lines of a file as a table; `header_row` is 0 for one without a header.

    `rows` are those beneath the header that are not blank. `width` is their usual number of fields.
    Without a header, `is_positional` says that they are in the order of the plain layout. With a
    header of two rows, `header_row` is the lower one. `open_temperatures` are the columns of which
    it cannot be told whether they hold the temperature.
    """

    delimiter: str
    header_row: int = 0
    header: Sequence[str] = ()
    cells: Sequence[HeaderCell | None] = ()
    rows: Sequence[Row] = ()
    preamble: Sequence[str] = ()
    width: int = len(PLAIN_FIELDS)
    is_positional: bool = False
    has_two_header_rows: bool = False
    open_temperatures: Sequence[int] = ()

    @property
    def header_place(self) -> str:
        """Where the header stands, for people: `line 2`, or `lines 1 and 2`."""
        if self.has_two_header_rows:
            return f"lines {self.header_row - 1} and {self.header_row}"
        return f"line {self.header_row}"

    @property
    def sample(self) -> Sequence[Row]:
        return self.rows[:SAMPLE]

    def text(self, row: Row, column: int) -> str:
        """Return a field of a row, empty where the row is too short."""
        return row.fields[column] if column < len(row.fields) else ""

    def count(self, column: int, pattern: re.Pattern[str]) -> int:
        """Return how many of the first rows hold in this column what the pattern says."""
        return sum(bool(pattern.fullmatch(self.text(row, column))) for row in self.sample)

    def is_mostly(self, column: int, pattern: re.Pattern[str]) -> bool:
        """Return whether more than half of the fields of a column that hold anything are so."""
        filled = sum(bool(self.text(row, column)) for row in self.sample)
        return 2 * self.count(column, pattern) > filled

    def names(self, *fields: str) -> bool:
        """Return whether the header names one of these fields, without a doubt."""
        return any(
            cell is not None and cell.field in fields and cell.rank < DOUBTFUL
            for cell in self.cells
        )


def find_table(
    lines: Sequence[str], *, delimiter: str | None = None, columns: int = 0
) -> Table | None:
    """Return the table of a file by its first lines, or None where they hold no readings.

    A delimiter, or columns up to the number `columns`, may be known from answers.
    """
    delimiters = (delimiter,) if delimiter else DELIMITERS
    return (
        _find_below_header(lines, delimiters)
        or _find_below_line_one(lines, delimiters, is_answered=bool(columns))
        or _find_without_header(lines, delimiters)
        or (_find_answered(lines, delimiters, columns) if columns else None)
    )


def has_reading(fields: Sequence[str]) -> bool:
    """Return whether fields have a moment and, beside it, a number that may be a temperature."""
    rest = [text for text in fields if not MOMENT.fullmatch(text)]
    if len(rest) == len(fields):
        dates = [text for text in fields if DATE.fullmatch(text)]
        times = [text for text in fields if TIME.fullmatch(text)]
        if not dates or not times:
            return False
        rest = [text for text in fields if text not in (dates[0], times[0])]
    return any(NUMBER.fullmatch(text) for text in rest)


def is_positional(fields: Sequence[str]) -> bool:
    """Return whether fields are those of the plain layout, in whatever dates and decimals."""
    return len(fields) == 3 and bool(
        CITY_NUMBER.fullmatch(fields[0])
        and NUMBER.fullmatch(fields[1])
        and MOMENT.fullmatch(fields[2])
    )


def _rows(lines: Sequence[str], delimiter: str, first: int = 0) -> Iterator[Row]:
    for number, line in enumerate(lines[first:], start=first + 1):
        if line.strip(" \t\0"):
            yield Row(number, line, split_fields(line[:MAX_LINE], delimiter))


def _make(lines: Sequence[str], delimiter: str, header: Row | None = None) -> Table:
    first = header.number if header else 0
    rows = list(_rows(lines, delimiter, first))
    texts = header.fields if header else ()
    return Table(
        delimiter=delimiter,
        header_row=first,
        header=texts,
        cells=[parse_header(text) for text in texts],
        rows=rows,
        preamble=lines[: max(first - 1, 0)],
        width=_width(delimiter, texts, rows[:SAMPLE]),
    )


def _width(delimiter: str, header: Sequence[str], rows: Sequence[Row]) -> int:
    """Return the usual number of fields; that of the header where the lines may not fit it.

    A decimal comma between commas, or a comma in a name, shifts the fields of all lines.
    """
    readings = [row.fields for row in rows if has_reading(row.fields)]
    if not readings or (delimiter == "," and len(header) == len(PLAIN_FIELDS)):
        return len(header) or len(PLAIN_FIELDS)
    [(usual, _)] = Counter(map(len, readings)).most_common(1)
    if not header or usual == len(header):
        return usual
    if usual > len(header):
        has_more = any(any(fields[len(header) :]) for fields in readings)
        return len(header) if has_more else usual
    is_cut = not any(header[usual:]) or any(len(fields) == len(header) for fields in readings)
    return usual if is_cut else len(header)


def _find_below_header(lines: Sequence[str], delimiters: Sequence[str]) -> Table | None:
    """Find the header that names a temperature and a time, and has readings beneath if any do."""
    found: list[tuple[Row, str]] = []
    first_reading = len(lines) + 1
    for header, delimiter in _headers(lines, delimiters):
        # Of several lines that may be a header, it is the one next to the readings.
        if header.number > first_reading:
            break
        beneath = islice(_rows(lines, delimiter, header.number), _UNLIKE_ROWS)
        reading = next((row.number for row in beneath if has_reading(row.fields)), None)
        if reading is not None:
            found.insert(0, (header, delimiter))
            first_reading = reading
        found = found or [(header, delimiter)]
    tables = (_make(lines, delimiter, header) for header, delimiter in found)
    return next((table for table in tables if not _has_readings_above(table, delimiters)), None)


def _has_readings_above(table: Table, delimiters: Sequence[str]) -> bool:
    """Return whether lines above a header are data, of which none may be skipped."""
    return any(
        is_positional(fields) or (has_reading(fields) and len(fields) == table.width)
        for line in table.preamble
        for delimiter in delimiters
        for fields in [split_fields(line[:MAX_LINE], delimiter)]
    )


def _headers(lines: Sequence[str], delimiters: Sequence[str]) -> Iterator[tuple[Row, str]]:
    searched = 0
    for number, line in enumerate(lines[: MAX_PREAMBLE + 1], start=1):
        if searched > _MAX_SEARCHED:
            return
        if len(line) > MAX_LINE or not _may_be_header(line):
            continue
        for delimiter in sorted(delimiters, key=line.count, reverse=True):
            fields = split_fields(line, delimiter)
            if 1 < len(fields) <= _MAX_COLUMNS:
                searched += max(len(fields), len(line) // 10)
                if _names_reading(fields):
                    yield Row(number, line, fields), delimiter
                    break


def _may_be_header(line: str) -> bool:
    """Return whether a line has a word of time and one of temperature or unit, at a low cost."""
    folded = fold(CAMEL_CASE.sub(" ", line.replace('"', " ")))
    words = folded.split()
    is_of_time = not WORDS_OF_TIME.isdisjoint(words)
    has_unit = SIGNS_OF_TEMPERATURE.search(folded) or not WORDS_OF_UNIT.isdisjoint(words)
    return is_of_time and bool(has_unit)


def _names_reading(fields: Sequence[str]) -> bool:
    cells = [cell for cell in map(parse_header, fields) if cell is not None]
    named = {cell.field for cell in cells if cell.rank < DOUBTFUL}
    return not named.isdisjoint(WHEN) and (TEMPERATURE in named or {VALUE, UNIT} <= named)


def _find_below_line_one(
    lines: Sequence[str], delimiters: Sequence[str], *, is_answered: bool
) -> Table | None:
    """Find a header on line 1 whose words leave something open."""
    if not lines or len(lines[0]) > MAX_LINE:
        return None
    for delimiter in delimiters:
        fields = split_fields(lines[0], delimiter)
        if not 1 < len(fields) <= _MAX_COLUMNS or not all(map(_is_name, fields)):
            continue
        table = _make(lines, delimiter, Row(1, lines[0], fields))
        has_readings = any(has_reading(row.fields) for row in table.sample)
        is_plain = delimiter == "," and is_plain_header(lines[0])
        known = [cell for cell in table.cells if cell is not None and cell.field != OTHER]
        if is_plain or (has_readings and (known or is_answered)):
            return table
    return None


def _is_name(text: str) -> bool:
    """Return whether a text may be the name of a column."""
    return parse_header(text) is not None or is_column_name(text.strip(" \t"))


def _find_without_header(lines: Sequence[str], delimiters: Sequence[str]) -> Table | None:
    """Find lines like those of the plain layout, or with its three fields in another order."""
    best: tuple[int, str] = (0, "")
    for delimiter in delimiters:
        rows = list(islice(_rows(lines, delimiter), 4 * SAMPLE))
        count = sum(is_positional(row.fields) for row in rows)
        is_certain = 2 * count >= len(rows)
        if count > best[0] and (delimiter == "," or is_certain):
            best = (count, delimiter)
    if best[0]:
        return replace(_make(lines, best[1]), width=len(PLAIN_FIELDS), is_positional=True)
    for delimiter in delimiters:
        rows = list(islice(_rows(lines, delimiter), SAMPLE))
        count = sum(_is_of_three(row.fields) for row in rows)
        if count and 2 * count >= len(rows):
            return _make(lines, delimiter)
    return None


def _is_of_three(fields: Sequence[str]) -> bool:
    """Return whether a row has the fields of a reading, in any order, and no other."""
    moments = [text for text in fields if MOMENT.fullmatch(text)]
    numbers = [text for text in fields if NUMBER.fullmatch(text)]
    cities = [text for text in numbers if CITY_NUMBER.fullmatch(text)]
    return len(fields) == 3 and len(moments) == len(cities) == 1 and len(numbers) == 2


def _find_answered(lines: Sequence[str], delimiters: Sequence[str], columns: int) -> Table | None:
    """Find the first row that may be one of readings, with a header on the line above it."""
    for delimiter in delimiters:
        rows = [row for row in _rows(lines, delimiter) if len(row.fields) >= columns]
        data = next((row for row in rows if has_reading(row.fields)), None)
        if data is None:
            continue
        above = [row for row in rows if row.number < data.number <= MAX_PREAMBLE + 2]
        header = above[-1] if above and not any(map(NUMBER.fullmatch, above[-1].fields)) else None
        return _make(lines, delimiter, header)
    return None
