"""Reads the XML of one sheet of a workbook, cell by cell, without building a tree of it.

What is hidden is marked, not left out. A sheet that needs too much memory, or contradicts itself,
is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from timba.files.columns import MAX_COLUMNS, column_letters
from timba.files.processors.base import FileRefused
from timba.tallies.cells.archives import AGAIN, BOMB, DAMAGED
from timba.tallies.cells.cell_values import MAX_TEXT, CellMaker
from timba.tallies.cells.grids import Cell, Row
from timba.tallies.cells.workbook_xml import TRUE, Attributes, Ends, Starts, parse_xml

# As many as Excel allows.
MAX_ROWS: Final = 1_048_576
# Cells from the first to the last of a sheet, empty ones too.
MAX_CELLS: Final = 5_000_000
# Filled cells of a workbook, all of which are held in memory.
MAX_FILLED: Final = 1_000_000
MAX_MERGED: Final = 100_000
TOO_FULL: Final = (
    f"It has more than {MAX_FILLED:,} filled cells. "
    "Keep only the tally in it, save it and upload it."
)
TOO_WIDE: Final = (
    "A sheet reaches as far as cell {cell}. "
    "Delete the cells that are so far away, save it and upload it."
)
TOO_MANY_MERGED: Final = f"A sheet has more than {MAX_MERGED:,} merged cells. {AGAIN}"
# Of a formula whose text is not in its cell.
UNKNOWN_FORMULA: Final = "?"
_RANGE: Final = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Z]{1,3})\$?([0-9]{1,7}))?")
_DIGITS: Final = "0123456789"
_MAX_DIGITS: Final = 10


@dataclass(slots=True)
class FilledCells:
    """Counts the filled cells of a workbook; raises FileRefused if there are too many."""

    count: int = 0

    def add(self, count: int = 1) -> None:
        self.count += count
        if self.count > MAX_FILLED:
            raise FileRefused(TOO_FULL)


@dataclass(kw_only=True, slots=True)
class SheetContent:
    """The rows of a sheet that are not blank, its hidden columns and merged ranges."""

    rows: list[Row] = field(default_factory=list)
    hidden_columns: frozenset[int] = frozenset()
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


def read_sheet(stream: BinaryIO, maker: CellMaker, filled: FilledCells) -> SheetContent:
    """Return the content of a sheet; raise FileRefused if it is damaged or too large."""
    reader = _SheetReader(maker, filled)
    parse_xml(stream, reader.starts, reader.ends, reader.add_text)
    return reader.content()


def column_index(letters: str) -> int:
    """Return the index of a column, 0 for A; raise FileRefused beyond the last one, XFD."""
    number = 0
    for letter in letters:
        if not "A" <= letter <= "Z" or number > MAX_COLUMNS:
            raise FileRefused(DAMAGED)
        number = number * 26 + ord(letter) - 64
    if not 0 < number <= MAX_COLUMNS:
        raise FileRefused(DAMAGED)
    return number - 1


class _SheetReader:
    """Takes the elements of a sheet in order; `starts` and `ends` have its methods by element."""

    def __init__(self, maker: CellMaker, filled: FilledCells) -> None:
        self._maker, self._filled = maker, filled
        self._rows: dict[int, Row] = {}
        self._merged: list[tuple[int, int, int, int]] = []
        self._hidden_columns = bytearray(MAX_COLUMNS)
        self._indexes: dict[str, int] = {}
        self._shared_formulas: dict[str, str] = {}
        self._row, self._row_text, self._is_hidden = 0, "", False
        self._cells: dict[int, Cell] = {}
        self._column, self._kind, self._style = -1, "", ""
        self._value: list[str] = []
        self._formula: list[str] | None = None
        self._shared_index = ""
        # The list that texts are added to, if any, and how many characters still fit.
        self._text: list[str] | None = None
        self._room = self._phonetic = 0
        self._last_row = self._widest = self._cells_seen = 0
        self.starts: Starts = {
            "row": self._start_row,
            "c": self._start_cell,
            "v": self._start_value,
            "t": self._start_value,
            "f": self._start_formula,
            "rPh": self._start_phonetic,
            "col": self._add_columns,
            "mergeCell": self._add_merged,
        }
        self.ends: Ends = {
            "row": self._end_row,
            "c": self._end_cell,
            "v": self._end_text,
            "t": self._end_text,
            "f": self._end_text,
            "rPh": self._end_phonetic,
        }

    def add_text(self, text: str) -> None:
        """Add a piece of text; more than a cell can hold is left out."""
        if self._text is not None and self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def content(self) -> SheetContent:
        """Return what has been read."""
        hidden = frozenset(
            index for index, is_hidden in enumerate(self._hidden_columns) if is_hidden
        )
        rows = [self._rows[number] for number in sorted(self._rows)]
        return SheetContent(rows=rows, hidden_columns=hidden, merged=self._merged)

    def _start_row(self, attributes: Attributes) -> None:
        text = attributes.get("r")
        self._row = _parse_int(text, MAX_ROWS) if text else self._row + 1
        if self._row > MAX_ROWS or self._row in self._rows:
            raise FileRefused(DAMAGED)
        self._row_text, self._column, self._cells = str(self._row), -1, {}
        self._is_hidden = attributes.get("hidden") in TRUE or _is_zero(attributes.get("ht"))

    def _end_row(self) -> None:
        if not self._cells:
            return
        width = max(self._cells) + 1
        self._widest, self._last_row = max(self._widest, width), max(self._last_row, self._row)
        if self._last_row * self._widest > MAX_CELLS:
            cell = f"{column_letters(self._widest - 1)}{self._last_row}"
            raise FileRefused(TOO_WIDE.format(cell=cell))
        cells = tuple(map(self._cells.get, range(width)))
        self._rows[self._row] = Row(self._row, cells, self._is_hidden)
        self._cells = {}

    def _start_cell(self, attributes: Attributes) -> None:
        self._cells_seen += 1
        if self._cells_seen > MAX_CELLS:
            raise FileRefused(BOMB)
        reference = attributes.get("r")
        self._column = self._column_of(reference) if reference else self._column + 1
        if self._column >= MAX_COLUMNS or self._column in self._cells:
            raise FileRefused(DAMAGED)
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._value, self._formula, self._room = [], None, MAX_TEXT

    def _column_of(self, reference: str) -> int:
        letters = reference.rstrip(_DIGITS)
        if reference[len(letters) :] != self._row_text:
            raise FileRefused(DAMAGED)
        index = self._indexes.get(letters)
        if index is None:
            index = self._indexes[letters] = column_index(letters)
        return index

    def _end_cell(self) -> None:
        if not self._value and self._formula is None:
            return
        formula = None if self._formula is None else self._formula_text(self._formula)
        style = int(self._style) if self._style.isdecimal() and len(self._style) < 9 else -1
        cell = self._maker.make(self._kind, "".join(self._value), style, formula)
        if cell is not None:
            self._filled.add()
            self._cells[self._column] = cell

    def _formula_text(self, pieces: list[str]) -> str:
        """Return the text of the cell's formula, or of the one that it shares."""
        text = "".join(pieces) or self._shared_formulas.get(self._shared_index, UNKNOWN_FORMULA)
        if self._shared_index:
            self._shared_formulas.setdefault(self._shared_index, text)
        return text

    def _start_value(self, _attributes: Attributes) -> None:
        if not self._phonetic:
            self._text = self._value

    def _start_formula(self, attributes: Attributes) -> None:
        self._formula = self._text = []
        self._room = MAX_TEXT
        self._shared_index = attributes.get("si", "") if attributes.get("t") == "shared" else ""

    def _end_text(self) -> None:
        if self._text is self._formula:
            self._room = MAX_TEXT
        self._text = None

    def _start_phonetic(self, _attributes: Attributes) -> None:
        self._phonetic += 1

    def _end_phonetic(self) -> None:
        self._phonetic -= 1

    def _add_columns(self, attributes: Attributes) -> None:
        first = _parse_int(attributes.get("min", ""), MAX_COLUMNS)
        last = _parse_int(attributes.get("max", ""), MAX_COLUMNS)
        if attributes.get("hidden") in TRUE or _is_zero(attributes.get("width")):
            self._hidden_columns[first - 1 : last] = b"\1" * max(last - first + 1, 0)

    def _add_merged(self, attributes: Attributes) -> None:
        match = _RANGE.fullmatch(attributes.get("ref", ""))
        if match is None:
            raise FileRefused(DAMAGED)
        if len(self._merged) >= MAX_MERGED:
            raise FileRefused(TOO_MANY_MERGED)
        first_column, first_row, last_column, last_row = match.groups()
        self._merged.append(
            (
                _parse_int(first_row, MAX_ROWS),
                column_index(first_column),
                _parse_int(last_row or first_row, MAX_ROWS),
                column_index(last_column or first_column),
            )
        )


def _parse_int(text: str, largest: int) -> int:
    """Return a number from 1 to `largest`; raise FileRefused if it is none."""
    if text.isascii() and text.isdecimal() and len(text) < _MAX_DIGITS and 0 < int(text) <= largest:
        return int(text)
    raise FileRefused(DAMAGED)


def _is_zero(size: str | None) -> bool:
    return size is not None and size.strip("0.") == ""
