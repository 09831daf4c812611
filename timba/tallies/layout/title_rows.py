"""Finds the units that rows above or beneath a table name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timba.tallies.cells.grids import CellKind, Row
from timba.tallies.layout.header_rows import Header
from timba.tallies.words.titles import doubtful_units_in_title, units_in_title


def names_units(row: Row) -> bool:
    return any(_named_units(text) for text in _row_texts(row, range(len(row.cells))))


def unit_names(units: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Return the units of measures without the rows that name them."""
    return {measure: unit for measure, (unit, _) in units.items()}


def _named_units(text: str) -> dict[str, str]:
    return {**doubtful_units_in_title(text), **units_in_title(text)}


def title_units_of(rows: Sequence[Row], header: Header) -> dict[str, tuple[str, int]]:
    """Return the unit of each measure that titles name, and the row; the nearest title counts."""
    units: dict[str, tuple[str, int]] = {}
    columns = range(header.first, header.last + 1)
    for row in rows:
        for text in _row_texts(row, columns):
            for measure, unit in _named_units(text).items():
                units[measure] = (unit, row.number)
    return units


def _row_texts(row: Row, columns: range) -> list[str]:
    """Return the texts of a title row in or above these columns, each and all together."""
    cells = [(i, cell) for i, cell in enumerate(row.cells) if cell is not None]
    if len(cells) > 1:
        cells = [(i, cell) for i, cell in cells if i in columns]
    texts = [cell.text for _, cell in cells if cell.kind is CellKind.TEXT]
    return [*texts, " ".join(texts)] if len(texts) > 1 else texts
