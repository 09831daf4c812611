"""Reads a measure with the unit that its cell may name, such as 8'6" or 305 mm."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from timba.tallies.numbers import NumberStyle, parse_number
from timba.tallies.units import UNITS


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, and the unit that its cell names, if it names one; 8'6" is 8½ ft."""

    value: Decimal | Fraction
    unit: str | None


def parse_quantity(text: str, style: NumberStyle | None) -> Quantity | None:
    """Return the measure in a text cell, or None for a text that is none."""
    value = parse_number(text, style)
    return None if value is None else Quantity(value, None)


def to_stored(value: Decimal | Fraction, unit: str, measure: str) -> Decimal:
    """Return a measure as stored: a length in m, others in cm, half up to 3 decimals."""
    stored = Fraction(value) * Fraction(UNITS[unit]) * (1 if measure == "length" else 100)
    thousandths = (stored * 2000 + 1) // 2
    return Decimal(thousandths).scaleb(-3)
