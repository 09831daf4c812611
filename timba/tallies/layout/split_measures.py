"""Tells measures that are written in two columns, such as feet and the inches beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timba.files.questions import Question
from timba.files.wording import fold
from timba.tallies.layout.groups import Group, header_of
from timba.tallies.layout.measure_cells import read_quantity
from timba.tallies.words.units import UNITS, parse_unit
from timba.tallies.words.vocabulary import BARCODE

# Units of which a length may be written in two columns: feet and inches, metres and centimetres.
_LARGER_UNIT: Final = {"in": "ft", "cm": "m"}
_FRACTION: Final = frozenset(("fraction", "fractions", "frac"))


def are_parts(group: Group, columns: Sequence[int]) -> bool:
    """Return whether the second of two columns holds what is left of whole units of the first."""
    if len(columns) != len(_LARGER_UNIT):
        return False
    larger, smaller = (_named_unit(group, column) for column in columns)
    if larger is None or smaller is None or _LARGER_UNIT.get(smaller) != larger:
        return False
    return _are_below(group, columns[1], float(UNITS[larger] / UNITS[smaller]))


def ask_about_parts(group: Group, name: str, columns: Sequence[int]) -> Question:
    titles = " and ".join(group.name(column) for column in columns)
    example = "" if name == BARCODE else "such as 8' 6\", "
    return Question(
        field=f"{group.prefix}columns.{name}",
        sentence=(
            f"The columns {titles} may be two parts of one {name}. Write both into one column, "
            f"{example}then upload the sheet again."
        ),
    )


def has_rest_beside(group: Group, column: int) -> bool:
    """Return whether the column at the right, without a name, holds what a measure lacks."""
    rest = column + 1
    table = group.table
    if not _is_free(group, rest):
        return False
    if are_parts(group, (column, rest)):
        return True
    text = header_of(group, rest).text
    if fold(text) in _FRACTION:
        return True
    if text or _named_unit(group, rest):
        return False
    is_merged = _is_merged(group, column)
    is_within = rest < table.header.last and _named_unit(group, column) == "ft"
    # What stands in two columns under one name is less than a metre, or than a foot.
    return (is_merged and _are_below(group, rest, 100)) or (
        is_within and _are_below(group, rest, 12)
    )


def has_merged_part_beside(group: Group, column: int) -> bool:
    """Return whether the name of a column is merged over the next one, which has cells too."""
    rest = column + 1
    return _is_free(group, rest) and _is_merged(group, column) and any(group.cells(rest))


def _is_free(group: Group, column: int) -> bool:
    table = group.table
    is_visible = column < table.end and column not in table.hidden_columns
    return is_visible and not header_of(group, column).field


def _is_merged(group: Group, column: int) -> bool:
    table = group.table
    spans = table.merged.get(table.header.row, ())
    return any(first <= column < last for first, last in spans)


def _are_below(group: Group, column: int, limit: float) -> bool:
    """Return whether a column has numbers, and all are below a limit."""
    rests = [read_quantity(cell, None) for cell in group.cells(column)]
    values = [rest.value for rest in rests if rest is not None]
    return 2 * len(values) > len(rests) and all(value < limit for value in values)


def _named_unit(group: Group, column: int) -> str | None:
    header = header_of(group, column)
    return (
        (header.cell.unit if header.cell else None)
        or parse_unit(header.text)
        or parse_unit(group.table.header.unit_cells.get(column, ""))
    )
