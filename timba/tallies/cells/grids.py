"""The values that a tally sheet is read as: cells, rows, grids (sheets) and workbooks.

A reader of workbooks and one of CSV make them; what a grid means is decided elsewhere. A cell keeps
both what is stored and what the spreadsheet shows, because they differ: `007` may be stored as 7.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal


class CellKind(enum.Enum):
    """What a cell holds. DATE stands for dates, times, both together, and durations."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not empty.

    `value` is what is stored: of a number, the shortest decimal that stands for its float. `text`
    is what the spreadsheet shows. A formula whose value was never computed is an ERROR with the
    value "". `number_format` is set for numbers whose format is not General.
    """

    kind: CellKind
    value: str | Decimal | bool | date | datetime | time | timedelta
    text: str
    formula: str = ""
    number_format: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number as a spreadsheet counts it, from 1, and its cells from column A on.

    A row of a CSV that cannot be split into cells has a sentence that says why as `line_error`.
    """

    number: int
    cells: tuple[Cell | None, ...]
    hidden: bool = False
    line_error: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet, without its blank rows; the name is "" for a CSV.

    A merged range is its first row (from 1) and column (from 0), and its last row and column.
    """

    name: str
    rows: Sequence[Row]
    hidden: bool
    hidden_columns: frozenset[int]
    merged: Sequence[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Workbook:
    """All sheets of a workbook, or the one of a CSV, with its encoding and delimiter."""

    grids: Sequence[Grid]
    is_csv: bool
    encoding: str | None
    delimiter: str | None


def show_lines(workbook: Workbook) -> Iterator[str]:
    """Yield the rows of a workbook as its pages show them: hidden cells are left out."""
    for grid in workbook.grids:
        if grid.hidden:
            continue
        if grid.name:
            yield grid.name
        for row in grid.rows:
            cells = [
                cell.text
                for column, cell in enumerate(row.cells)
                if cell is not None and column not in grid.hidden_columns
            ]
            if cells and not row.hidden:
                yield "\t".join(cells)
