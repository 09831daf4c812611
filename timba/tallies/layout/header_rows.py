"""Recognizes the header of a table of logs: in one row, or in two that are merged or stacked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from timba.files.wording import normalize_header
from timba.tallies.cells.grids import Cell, CellKind, Grid, Row
from timba.tallies.words.header_cells import MAX_HEADER, HeaderCell, parse_header
from timba.tallies.words.titles import units_in_title
from timba.tallies.words.units import looks_like_unit, parse_unit
from timba.tallies.words.vocabulary import (
    BARCODE,
    BREADTH,
    COUNTER,
    DIAMETER,
    HEIGHT,
    LENGTH,
    MEASURES,
)

_NUMBER_START: Final = re.compile(r"(?!\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b)[-+−]?[.,]?(\d|[¼½¾⅐-⅞])")
# A header without words that are known has at least as many columns, over as many of numbers.
_LEAST_COLUMNS: Final = 3
# A row of column numbers beneath a header counts at least so far.
_LEAST_COLUMN_NUMBERS: Final = 4
_MEASURED: Final = frozenset((LENGTH, BREADTH, HEIGHT, DIAMETER))
_KEYS: Final = frozenset((BARCODE, COUNTER))


@dataclass(frozen=True, slots=True)
class HeaderColumn:
    """The header of a column: its text, that of two rows joined by a blank, and what it says."""

    text: str
    cell: HeaderCell | None

    @property
    def field(self) -> str | None:
        return self.cell.field if self.cell else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The header of a table: its columns by index, and the rows that it takes in the sheet.

    `unit_cells` are the texts of a row of units, by column; `row` is the number of the last row of
    words, and `size` counts all rows down to where the logs begin.
    """

    row: int
    size: int
    columns: Mapping[int, HeaderColumn]
    unit_row: int | None
    unit_cells: Mapping[int, str]

    @property
    def first(self) -> int:
        return min(self.columns)

    @property
    def last(self) -> int:
        return max(self.columns)

    @property
    def wording(self) -> tuple[tuple[int, str], ...]:
        """The normalized words by column, counted from the first."""
        first = self.first
        return tuple(
            (index - first, normalize_header(column.text))
            for index, column in sorted(self.columns.items())
        )


def merged_by_row(grid: Grid) -> dict[int, list[tuple[int, int]]]:
    """Return the first and last columns of the cells merged over several, by their first row."""
    merged: dict[int, list[tuple[int, int]]] = {}
    for row, first, _, last in grid.merged:
        if last > first:
            merged.setdefault(row, []).append((first, last))
    return merged


def is_number_like(cell: Cell | None) -> bool:
    """Return whether a cell is a number, or a text that begins with one and is no date."""
    if cell is None:
        return False
    if cell.kind is CellKind.TEXT:
        return _NUMBER_START.match(cell.text) is not None
    return cell.kind is CellKind.NUMBER


def find_header(
    grid: Grid,
    position: int,
    is_free: Callable[[int], bool],
    *,
    merged: Mapping[int, Sequence[tuple[int, int]]],
    words: bool = True,
) -> Header | None:
    """Return the header that begins with a row of a sheet, or None.

    Only columns that are free belong to it. Without `words` a header is taken for one by its place
    above columns of numbers, because its words are in a language that is not known.
    """
    row = grid.rows[position]
    upper = _header_texts(row, is_free)
    if len(upper) < 2:
        return None
    if not words:
        return _find_wordless_header(grid, position, upper, is_free)
    lower_row = _next_row(grid, position)
    lower = _header_texts(lower_row, is_free) if lower_row else {}
    alone = {index: _read_column(text) for index, text in upper.items()}
    if lower_row and lower:
        both = _join(_spread(merged.get(row.number, ()), upper), lower)
        beneath = {index: _read_column(text) for index, text in lower.items()}
        if (
            _are_one_header(alone, both, beneath)
            and _names_a_log(_fields(both))
            and not _has_numbers(lower_row, beneath, both)
        ):
            return _with_rows_beneath(grid, position, 2, both)
    if _names_a_log(_fields(alone)) and not _has_numbers(row, alone, alone):
        return _with_rows_beneath(grid, position, 1, alone)
    return None


def _header_texts(row: Row, is_free: Callable[[int], bool]) -> dict[int, str]:
    return {
        index: " ".join(cell.text.split())
        for index, cell in enumerate(row.cells)
        if cell is not None and cell.kind is CellKind.TEXT and cell.text.strip() and is_free(index)
    }


def _next_row(grid: Grid, position: int) -> Row | None:
    """Return the row beneath, unless it is blank or hidden."""
    if position + 1 >= len(grid.rows):
        return None
    row = grid.rows[position + 1]
    is_beneath = row.number == grid.rows[position].number + 1 and not row.hidden
    return row if is_beneath else None


def _read_column(text: str) -> HeaderColumn:
    return HeaderColumn(text, _parse(text) if len(text) <= MAX_HEADER else None)


@lru_cache(maxsize=4096)
def _parse(text: str) -> HeaderCell | None:
    return parse_header(text)


def _spread(merged: Sequence[tuple[int, int]], texts: Mapping[int, str]) -> dict[int, str]:
    """Return the texts of a row, those of merged cells in each column that they cover."""
    spread = dict(texts)
    for first, last in merged:
        if first in texts:
            for index in range(first + 1, min(last, first + 500) + 1):
                spread.setdefault(index, texts[first])
    return spread


def _join(upper: Mapping[int, str], lower: Mapping[int, str]) -> dict[int, HeaderColumn]:
    """Return the columns of a header in two rows."""
    columns = {}
    for index in sorted(upper.keys() | lower.keys()):
        above, beneath = upper.get(index, ""), lower.get(index, "")
        joined = _read_column(f"{above} {beneath}".strip())
        if joined.cell is None and above and beneath:
            cell = _read_column(beneath).cell
            if cell is not None and cell.unit is None and cell.unknown_unit is None:
                cell = replace(cell, unit=units_in_title(above).get(cell.field))
            joined = replace(joined, cell=cell or _read_column(above).cell)
        columns[index] = joined
    # A merged cell of the upper row that covers no words beneath is one column.
    return {
        index: column
        for index, column in columns.items()
        if index in lower or index - 1 not in upper or upper[index - 1] != upper.get(index)
    }


def _are_one_header(
    alone: Mapping[int, HeaderColumn],
    both: Mapping[int, HeaderColumn],
    beneath: Mapping[int, HeaderColumn],
) -> bool:
    """Return whether two rows make one header: each adds to the other, or both say the same."""
    upper_fields, fields, lower_fields = _fields(alone), _fields(both), _fields(beneath)
    if _names_a_log(upper_fields) and _names_a_log(lower_fields):
        return True
    return fields > upper_fields and (fields > lower_fields or bool(upper_fields))


def _fields(columns: Mapping[int, HeaderColumn]) -> set[str]:
    return {column.field for column in columns.values() if column.field}


def _names_a_log(fields: set[str]) -> bool:
    """Return whether these fields are those of a table of logs: two, and one is a measure."""
    measured = fields & _MEASURED
    return bool(measured) and len(measured) + bool(fields & _KEYS) > 1


def _has_numbers(
    row: Row, words: Mapping[int, HeaderColumn], header: Mapping[int, HeaderColumn]
) -> bool:
    """Return whether a row has numbers among the columns that a header names.

    Words that name a field may begin with a number: “1. Barcode”.
    """
    known = [index for index, column in header.items() if column.field]
    cells = enumerate(row.cells[min(known) : max(known) + 1], start=min(known))
    return any(
        is_number_like(cell) and (index not in words or words[index].field is None)
        for index, cell in cells
    )


def _with_rows_beneath(
    grid: Grid, position: int, size: int, columns: Mapping[int, HeaderColumn]
) -> Header:
    """Return the header with the row of units and the row of column numbers beneath it."""
    row = grid.rows[position + size - 1].number
    unit_row, unit_cells = None, {}
    beneath = position + size
    if beneath < len(grid.rows) and (cells := _unit_cells(grid.rows[beneath], columns)):
        unit_row, unit_cells = grid.rows[beneath].number, cells
        beneath += 1
    elif position and (cells := _unit_cells(grid.rows[position - 1], columns)):
        unit_row, unit_cells = grid.rows[position - 1].number, cells
    if beneath < len(grid.rows) and _counts_columns(grid.rows[beneath], columns):
        beneath += 1
    return Header(
        row=row,
        size=beneath - position,
        columns=columns,
        unit_row=unit_row,
        unit_cells=unit_cells,
    )


def _unit_cells(row: Row, columns: Mapping[int, HeaderColumn]) -> dict[int, str]:
    """Return the texts of a row of units by column; nothing for another row.

    A unit beside that of a measure, beneath no name, is that of its second part.
    """
    if row.hidden:
        return {}
    cells = {}
    for index, column in columns.items():
        cell = row.cells[index] if index < len(row.cells) else None
        if column.field not in MEASURES or cell is None:
            continue
        if not is_unit(cell.text):
            return {}
        cells[index] = cell.text
    for index in sorted(cells):
        rest = row.cells[index + 1] if index + 1 < len(row.cells) else None
        if index + 1 not in columns and rest is not None and is_unit(rest.text):
            cells[index + 1] = rest.text
    return cells


def is_unit(text: str) -> bool:
    """Return whether a text is a unit of length, known or not, without a number."""
    return not _NUMBER_START.match(text) and (parse_unit(text) is not None or looks_like_unit(text))


def _counts_columns(row: Row, columns: Mapping[int, HeaderColumn]) -> bool:
    """Return whether a row numbers the columns, as printed forms do: 1, 2, 3, 4."""
    first = min(columns)
    cells = [cell for cell in row.cells[first : max(columns) + 1] if cell is not None]
    if len(cells) < max(_LEAST_COLUMN_NUMBERS, len(columns)):
        return False
    return all(cell.text.strip("(). ") == str(n) for n, cell in enumerate(cells, start=1))


def _find_wordless_header(
    grid: Grid, position: int, texts: Mapping[int, str], is_free: Callable[[int], bool]
) -> Header | None:
    beneath = _next_row(grid, position)
    if beneath is None or any(map(is_number_like, grid.rows[position].cells)):
        return None
    numbers = [
        index
        for index, cell in enumerate(beneath.cells)
        if index in texts and is_number_like(cell) and is_free(index)
    ]
    if len(numbers) < _LEAST_COLUMNS:
        return None
    columns = {index: _read_column(text) for index, text in texts.items()}
    return _with_rows_beneath(grid, position, 1, columns)


def split_side_by_side(header: Header) -> Sequence[Header]:
    """Return the headers of tables that stand side by side under one header row."""
    groups: list[dict[int, HeaderColumn]] = [{}]
    for index, column in sorted(header.columns.items()):
        fields = _fields(groups[-1])
        is_repeated = column.field in fields & (_KEYS | _MEASURED)
        if is_repeated and fields >= set(MEASURES):
            groups.append({})
        groups[-1][index] = column
    kinds = {frozenset(_fields(group) & (_KEYS | _MEASURED)) for group in groups}
    if len(groups) == 1 or len(kinds) > 1 or not next(iter(kinds)) & _KEYS:
        return [header]
    return [
        replace(
            header,
            columns=group,
            unit_cells={i: text for i, text in header.unit_cells.items() if i in group},
        )
        for group in groups
    ]
