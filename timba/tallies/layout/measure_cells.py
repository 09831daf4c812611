"""Reads the cell of a measure: a number, its unit where the cell names one, and why it is none."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from timba.consignments.measures import PLAUSIBLE
from timba.tallies.cells.grids import Cell, CellKind
from timba.tallies.words.numbers import NumberStyle
from timba.tallies.words.quantities import Quantity, parse_quantity, to_stored
from timba.tallies.words.units import UNITS, looks_like_unit, parse_unit

WITHOUT_VALUE: Final = (
    "is a formula without a value. Open the sheet in a spreadsheet program, save it, and upload it "
    "again."
)
# Characters of a cell that a message quotes.
MAX_QUOTED: Final = 60
# The texts that a number format adds: "m" in quotes, a character after a backslash, [$m], ';
# a character after _ or * only fills the place.
_LITERALS: Final = re.compile(r"""[_*].|"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|(['′″])""")
# The limits of each measure in each unit.
_LIMITS: Final = {
    (name, unit): (limits.least / factor, limits.most / factor)
    for name, limits in PLAUSIBLE.items()
    for unit, metres in UNITS.items()
    for factor in (metres / UNITS[limits.unit],)
}


# Measures repeat: a sheet has few different ones.
_parse: Final = lru_cache(maxsize=1 << 16)(parse_quantity)
_to_stored: Final = lru_cache(maxsize=1 << 16)(to_stored)


class BadCell(Exception):
    """A cell is invalid; the message says why."""


def read_quantity(cell: Cell | None, style: NumberStyle | None) -> Quantity | None:
    """Return the measure in a cell, or None."""
    if cell is None:
        return None
    if cell.kind is CellKind.TEXT:
        return _parse(cell.text.strip(), style)
    if cell.kind is not CellKind.NUMBER or not isinstance(cell.value, Decimal):
        return None
    unit = _format_unit(cell.number_format) if cell.number_format else ""
    return None if unit is None else Quantity(cell.value, unit or None)


@lru_cache(maxsize=256)
def _format_unit(number_format: str) -> str | None:
    """Return the unit that a number format shows, "" if it shows none, None for an unknown one."""
    section = number_format.split(";", maxsplit=1)[0]
    text = "".join(map("".join, _LITERALS.findall(section))).strip()
    if not text:
        return ""
    return parse_unit(text) or (None if looks_like_unit(text) else "")


def is_plausible(value: Decimal | Fraction, unit: str, measure: str) -> bool:
    """Return whether a log can have this measure."""
    least, most = _LIMITS[measure, unit]
    return least <= value <= most


def read_measure(cell: Cell | None, style: NumberStyle | None, unit: str, measure: str) -> Decimal:
    """Return a measure as it is stored; raise BadCell with the reason."""
    if cell is None or (not cell.text.strip() and not cell.formula):
        raise BadCell(f"The {measure} is missing.")
    if cell.kind is CellKind.ERROR:
        if cell.formula and not cell.value:
            raise BadCell(f"The {measure} {WITHOUT_VALUE}")
        raise BadCell(f"The {measure} is the error {cell.text[:MAX_QUOTED]}.")
    if cell.kind is CellKind.DATE:
        raise BadCell(f"The {measure} is a date or a time. Format its cell as a number.")
    quantity = read_quantity(cell, style)
    if quantity is None:
        raise BadCell(f"The {measure} “{cell.text.strip()[:MAX_QUOTED]}” is not a number.")
    if quantity.value <= 0:
        raise BadCell(f"The {measure} must be greater than 0.")
    return _check_plausible(quantity.value, quantity.unit or unit, measure)


def _check_plausible(value: Decimal | Fraction, unit: str, measure: str) -> Decimal:
    range_ = PLAUSIBLE[measure]
    stored = _to_stored(value, unit, measure)
    if stored not in range_:
        raise BadCell(
            f"The {measure} is understood as {format_measure(stored)} {range_.unit}; a log has "
            f"{range_.least} to {range_.most} {range_.unit}."
        )
    return stored


def format_measure(value: Decimal) -> str:
    """Return a measure for people: 4,200 or 4.2."""
    text = f"{value:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
