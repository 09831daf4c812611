"""Finds the tables of logs in a workbook: below each other, side by side, one or more a sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.files.processors.base import FileRefused
from timba.tallies.grids import Cell, CellKind, Grid, Row, Workbook
from timba.tallies.header_rows import (
    Header,
    HeaderColumn,
    find_header,
    is_number_like,
    merged_by_row,
    split_side_by_side,
)
from timba.tallies.parsing import TOO_MANY
from timba.tallies.titles import units_in_title
from timba.tallies.vocabulary import DIAMETER, MEASURES, VOLUME

# Rows that the first header of a sheet is searched in.
MAX_TITLE_ROWS: Final = 200
# More rows are never searched: logs are fewer by far.
MAX_TABLE_ROWS: Final = 100_000
TOO_MANY_TABLES: Final = "It holds more than {limit:,} tables. Split it into several files."
MAX_TABLES: Final = 200
# Why rows are left out that are no logs.
HIDDEN_ROW, HIDDEN_SHEET = "hidden_row", "hidden_sheet"
REPEATED_HEADER, TITLE = "repeated_header", "title"
_NUMERIC: Final = frozenset((*MEASURES, DIAMETER, VOLUME))


@dataclass(kw_only=True, slots=True)
class Table:
    """A table of logs: its header, the rows beneath it, and the columns that it may take.

    `merged` has the first and last columns of merged cells by their first row. `title_units` are
    the units of measures that a title above names, with the title's row.
    """

    grid: int
    sheet: str
    header: Header
    hidden_columns: frozenset[int]
    merged: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    start: int = 0
    end: int = 1 << 20
    title_units: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    numeric_columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        columns = self.header.columns
        named = [index for index, column in columns.items() if column.field in _NUMERIC]
        self.numeric_columns = tuple(named or columns)

    def continued_in(self, units: Mapping[str, tuple[str, int]]) -> Table:
        """Return the table that goes on beneath a title with other units, without rows."""
        return Table(
            grid=self.grid,
            sheet=self.sheet,
            header=self.header,
            hidden_columns=self.hidden_columns,
            merged=self.merged,
            start=self.start,
            end=self.end,
            title_units=units,
        )

    def cell(self, row: Row, index: int) -> Cell | None:
        """Return a visible cell of the table, or None for an empty one."""
        if not self.start <= index < self.end or index in self.hidden_columns:
            return None
        return row.cells[index] if index < len(row.cells) else None

    def cells(self, row: Row) -> Iterator[tuple[int, Cell]]:
        """Yield the visible cells of a row that are not empty, with their columns."""
        for index, cell in enumerate(row.cells[self.start : self.end], start=self.start):
            if cell is not None and index not in self.hidden_columns:
                yield index, cell

    def has_cells(self, row: Row) -> bool:
        return any(True for _ in self.cells(row))

    def has_numbers(self, row: Row) -> bool:
        """Return whether a row has a number where the header names one."""
        return any(is_number_like(self.cell(row, index)) for index in self.numeric_columns)

    @property
    def columns(self) -> Mapping[int, HeaderColumn]:
        return self.header.columns


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
                self._add_row(row)
                position += 1
            else:
                self._begin_tables(header)
                position += header.size

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

    def _add_row(self, row: Row) -> None:
        if not self.active:
            self.titles.append(row)
        for position, table in enumerate(self.active):
            if units := _new_units(table, row):
                self.left_out[TITLE] += 1
                self.active[position] = table.continued_in(units)
                self.tables.append(self.active[position])
            elif row.line_error or table.has_cells(row):
                table.rows.append(row)
                self.row_count += 1
        if self.row_count > MAX_TABLE_ROWS:
            raise FileRefused(TOO_MANY)

    def _begin_tables(self, header: Header) -> None:
        for part in split_side_by_side(header):
            above = [
                table
                for table in self.active
                if table.header.first <= part.last and part.first <= table.header.last
            ]
            titles = self._take_titles(above)
            units = _title_units(titles, part)
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

    def _set_bounds(self) -> None:
        """Let each active table reach to the next ones on both sides."""
        self.active.sort(key=lambda table: table.header.first)
        for left, right in zip(self.active, self.active[1:], strict=False):
            left.end = right.header.first
            right.start = left.header.last + 1

    def _take_titles(self, tables: Sequence[Table]) -> list[Row]:
        """Return the rows above a header that are its titles, and take them from the table above.

        In the sheet's first table these are all rows above; further down those after a blank row.
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
        while rows and rows[0].number == previous + 1 and not _names_units(rows[0]):
            previous = rows.pop(0).number
        if rows:
            del table.rows[-len(rows) :]
            self.left_out[TITLE] += len(rows)
        return rows


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
    named = {measure: unit for measure, (unit, _) in units.items()}
    above = {measure: unit for measure, (unit, _) in table.title_units.items()}
    # The row of units beneath a header is often not repeated with it.
    has_same_units = not header.unit_cells or dict(header.unit_cells) == dict(
        table.header.unit_cells
    )
    return has_same_units and named in ({}, above)


def _new_units(table: Table, row: Row) -> dict[str, tuple[str, int]]:
    """Return the units that a title within a table names, unless they are those above it."""
    if not table.rows or table.has_numbers(row):
        return {}
    units = _title_units([row], table.header)
    named = {measure: unit for measure, (unit, _) in units.items()}
    above = {measure: unit for measure, (unit, _) in table.title_units.items()}
    return units if named != above else {}


def _names_units(row: Row) -> bool:
    return any(units_in_title(text) for text in _row_texts(row, range(len(row.cells))))


def _title_units(rows: Sequence[Row], header: Header) -> dict[str, tuple[str, int]]:
    """Return the unit of each measure that titles name, and the row; the nearest title counts."""
    units: dict[str, tuple[str, int]] = {}
    columns = range(header.first, header.last + 1)
    for row in rows:
        for text in _row_texts(row, columns):
            for measure, unit in units_in_title(text).items():
                units[measure] = (unit, row.number)
    return units


def _row_texts(row: Row, columns: range) -> list[str]:
    """Return the texts of a title row in or above these columns, each and all together."""
    cells = [(i, cell) for i, cell in enumerate(row.cells) if cell is not None]
    if len(cells) > 1:
        cells = [(i, cell) for i, cell in cells if i in columns]
    texts = [cell.text for _, cell in cells if cell.kind is CellKind.TEXT]
    return [*texts, " ".join(texts)] if len(texts) > 1 else texts
