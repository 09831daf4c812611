"""A table of logs in a sheet: its header, its rows and the units that titles name for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.tallies.cells.grids import Cell, Row
from timba.tallies.layout.header_rows import Header, HeaderColumn, is_number_like
from timba.tallies.words.vocabulary import DIAMETER, MEASURES, VOLUME

_NUMERIC: Final = frozenset((*MEASURES, DIAMETER, VOLUME))


@dataclass(kw_only=True, slots=True)
class Table:
    """A table of logs: its header, the rows beneath it, and the columns that it may take.

    `merged` has the first and last columns of merged cells by their first row. `title_units` are
    the units of measures that a title above or a note beneath names, known or not, with its row.
    `number` counts the tables of the file, from 1; questions and answers name a table by it.
    """

    grid: int
    sheet: str
    header: Header
    hidden_columns: frozenset[int]
    merged: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    start: int = 0
    end: int = 1 << 20
    title_units: dict[str, tuple[str, int]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    numeric_columns: tuple[int, ...] = ()
    number: int = 1

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
            title_units=dict(units),
        )

    def add_note(self, units: Mapping[str, tuple[str, int]]) -> None:
        """Add the units that a note beneath the table names; others than above it are in doubt."""
        for measure, (unit, row) in units.items():
            above, _ = self.title_units.get(measure, (unit, 0))
            self.title_units[measure] = (unit if unit == above else f"{above}/{unit}", row)

    def doubt_units(self, units: Mapping[str, tuple[str, int]]) -> None:
        """Take units that may be those of the table for doubtful ones, unless it names its own."""
        in_header = any(column.cell and column.cell.unit for column in self.columns.values())
        if not (in_header or self.header.unit_cells or self.title_units):
            self.title_units = {name: (f"?/{unit}", row) for name, (unit, row) in units.items()}

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
    def width(self) -> int:
        """The number of the sheet's columns up to the last one that the table can have."""
        cells = max((len(row.cells) for row in self.rows), default=0)
        return min(self.end, cells or self.header.last + 1)

    @property
    def columns(self) -> Mapping[int, HeaderColumn]:
        return self.header.columns
