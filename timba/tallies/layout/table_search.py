"""Finds the tables of logs in a workbook: below each other, side by side, one or more a sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.files.processors.base import FileRefused
from timba.tallies.cells.grids import CellKind, Grid, Row, Workbook
from timba.tallies.layout.header_rows import Header, find_header, merged_by_row, split_side_by_side
from timba.tallies.layout.tables import Table
from timba.tallies.layout.title_rows import names_units, title_units_of, unit_names
from timba.tallies.parsing import TOO_MANY

# Rows that the first header of a sheet is searched in.
MAX_TITLE_ROWS: Final = 200
# More rows are never searched: logs are fewer by far.
MAX_TABLE_ROWS: Final = 100_000
TOO_MANY_TABLES: Final = "It holds more than {limit:,} tables. Split it into several files."
MAX_TABLES: Final = 200
# Why rows are left out that are no logs.
HIDDEN_ROW, HIDDEN_SHEET = "hidden_row", "hidden_sheet"
REPEATED_HEADER, TITLE = "repeated_header", "title"


@dataclass(kw_only=True, slots=True)
class FoundTables:
    """The tables of a workbook, the rows that belong to none by reason, and the names of sheets."""

    tables: list[Table] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    sheets: list[str] = field(default_factory=list)
    other_sheets: list[str] = field(default_factory=list)
    hidden_sheets: list[str] = field(default_factory=list)


def find_tables(workbook: Workbook) -> FoundTables:
    """Return the tables of the visible sheets, those without rows only if all are empty."""
    found = _search(workbook, words=True)
    if not found.tables:
        found = _search(workbook, words=False)
    if len(found.tables) > MAX_TABLES:
        raise FileRefused(TOO_MANY_TABLES.format(limit=MAX_TABLES))
    if any(table.rows for table in found.tables):
        found.tables = [table for table in found.tables if table.rows]
    else:
        found.tables = found.tables[:1]
    for number, table in enumerate(found.tables, start=1):
        table.number = number
    return found


def _search(workbook: Workbook, *, words: bool) -> FoundTables:
    found = FoundTables()
    for number, grid in enumerate(workbook.grids):
        search = _GridSearch(grid, number, words=words)
        search.run()
        if grid.hidden:
            hidden = sum(len(table.rows) for table in search.tables)
            found.left_out[HIDDEN_SHEET] += hidden
            if hidden:
                found.hidden_sheets.append(grid.name)
            continue
        found.tables += search.tables
        if search.tables:
            found.sheets.append(grid.name)
        found.left_out += search.left_out
        if not search.tables and grid.rows:
            found.other_sheets.append(grid.name)
    return found


class _GridSearch:
    """Walks through the rows of one sheet; `active` are the tables that a row may belong to."""

    def __init__(self, grid: Grid, number: int, *, words: bool) -> None:
        self.grid, self.number, self.words = grid, number, words
        self.merged = merged_by_row(grid)
        self.tables: list[Table] = []
        self.active: list[Table] = []
        self.left_out: Counter[str] = Counter()
        self.titles: list[Row] = []
        self.row_count = 0

    def run(self) -> None:
        position = 0
        rows = self.grid.rows
        while position < len(rows):
            row = rows[position]
            if not self.tables and row.number > MAX_TITLE_ROWS:
                break
            if row.hidden:
                self.left_out[HIDDEN_ROW] += any(table.has_cells(row) for table in self.active)
                position += 1
                continue
            header = self._find_header(position)
            if header is None:
                if not self.active:
                    self.titles.append(row)
                self._add_row(row, self.active)
                position += 1
            else:
                beside = self._begin_tables(header, row.number)
                for each in rows[position : position + header.size]:
                    self._add_row(each, beside)
                position += header.size
        self.tables = [part for table in self.tables for part in self._split_at_titles(table)]

    def _split_at_titles(self, table: Table) -> list[Table]:
        """Return a table in parts, of which each but the first begins with a title that has units.

        Units that are named beneath the last log are those of the logs above.
        """
        rows, table.rows = table.rows, []
        parts = [table]
        for row in rows:
            is_log = row.line_error or table.has_numbers(row)
            if units := {} if is_log else title_units_of([row], table.header):
                self.left_out[TITLE] += 1
                if unit_names(units) != unit_names(parts[-1].title_units):
                    parts.append(table.continued_in(units))
            else:
                parts[-1].rows.append(row)
        while len(parts) > 1 and not any(map(table.has_numbers, parts[-1].rows)):
            note = parts.pop()
            parts[-1].rows += note.rows
            parts[-1].add_note(note.title_units)
        if len(parts) > 1:
            table.doubt_units(parts[1].title_units)
        return parts

    def _find_header(self, position: int) -> Header | None:
        row = self.grid.rows[position]
        busy = [table for table in self.active if table.has_numbers(row)]
        if self.active and (not self.words or not _may_be_header(row, busy)):
            return None

        def is_free(index: int) -> bool:
            return index not in self.grid.hidden_columns and not any(
                table.header.first <= index <= table.header.last for table in busy
            )

        return find_header(self.grid, position, is_free, merged=self.merged, words=self.words)

    def _add_row(self, row: Row, tables: Sequence[Table]) -> None:
        for table in tables:
            if row.line_error or table.has_cells(row):
                table.rows.append(row)
                self.row_count += 1
        if self.row_count > MAX_TABLE_ROWS:
            raise FileRefused(TOO_MANY)

    def _begin_tables(self, header: Header, first_row: int) -> list[Table]:
        """Begin the tables of a header, and return those that go on beside it."""
        beside = [table for table in self.active if not _overlap(table, header)]
        for part in split_side_by_side(header):
            above = [table for table in self.active if _overlap(table, part)]
            titles = self._take_titles(above, first_row)
            units = title_units_of(titles, part)
            if any(_continues(table, part, units) for table in above):
                self.left_out[REPEATED_HEADER] += header.size
                continue
            self.active = [table for table in self.active if table not in above]
            table = Table(
                grid=self.number,
                sheet=self.grid.name,
                header=part,
                hidden_columns=self.grid.hidden_columns,
                merged=self.merged,
                title_units=units,
            )
            self.tables.append(table)
            self.active.append(table)
        self._set_bounds()
        return beside

    def _set_bounds(self) -> None:
        """Let each active table reach to the next ones on both sides."""
        self.active.sort(key=lambda table: table.header.first)
        for left, right in zip(self.active, self.active[1:], strict=False):
            left.end = right.header.first
            right.start = left.header.last + 1

    def _take_titles(self, tables: Sequence[Table], below: int) -> list[Row]:
        """Return the rows above a header that are its titles, and take them from the table above.

        In the sheet's first table these are all rows above; further down those after a blank row,
        or without one those that name units.
        """
        if not tables:
            return self.titles
        [table, *_] = tables
        count = 0
        for row in reversed(table.rows):
            if table.has_numbers(row) or row.line_error:
                break
            count += 1
        rows = table.rows[len(table.rows) - count :]
        previous = table.rows[-count - 1].number if count < len(table.rows) else table.header.row
        is_apart = below - previous > len(rows) + 1
        while rows and rows[0].number == previous + 1 and (is_apart or not names_units(rows[0])):
            previous = rows.pop(0).number
        if rows:
            del table.rows[-len(rows) :]
            self.left_out[TITLE] += len(rows)
            table.doubt_units(title_units_of(_rows_apart(rows, below), table.header))
        return rows


def _rows_apart(rows: Sequence[Row], below: int) -> Sequence[Row]:
    """Return the rows that a blank row separates from the header below."""
    count = len(rows)
    while count and rows[count - 1].number == below - 1:
        count -= 1
        below -= 1
    return rows[:count]


def _overlap(table: Table, header: Header) -> bool:
    return table.header.first <= header.last and header.first <= table.header.last


def _may_be_header(row: Row, busy: Sequence[Table]) -> bool:
    """Return whether a row below a header has texts enough outside the tables it has numbers in."""
    if not busy:
        return True
    first = min(table.header.first for table in busy)
    last = max(table.header.last for table in busy)
    outside = (*row.cells[:first], *row.cells[last + 1 :])
    texts = sum(cell is not None and cell.kind is CellKind.TEXT for cell in outside)
    return texts > 1


def _continues(table: Table, header: Header, units: Mapping[str, tuple[str, int]]) -> bool:
    """Return whether a header is the table's own, repeated on the next page."""
    if table.header.first != header.first or table.header.wording != header.wording:
        return False
    # The row of units beneath a header is often not repeated with it.
    has_same_units = not header.unit_cells or dict(header.unit_cells) == dict(
        table.header.unit_cells
    )
    return has_same_units and unit_names(units) in ({}, unit_names(table.title_units))
