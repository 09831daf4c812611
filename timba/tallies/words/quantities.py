"""Reads a measure with the unit that its cell may name, such as 8'6" or 305 mm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from timba.files.wording import unify_primes
from timba.tallies.words.numbers import MAX_NUMBER, VULGAR_FRACTIONS, NumberStyle, parse_number
from timba.tallies.words.units import UNITS, parse_unit

_FIGURES: Final = f"0-9{VULGAR_FRACTIONS}"
_NUMBER: Final = rf"[+\-−]?\s*[.,{_FIGURES}](?:[{_FIGURES}.,/⁄\s\-]*[{_FIGURES}])?"
_UNIT: Final = r"['\"]|[^\W\d_]{1,14}\.?"
_ONE: Final = re.compile(rf"({_NUMBER})\s*({_UNIT})")
_TWO: Final = re.compile(rf"([0-9]{{1,6}})\s*({_UNIT})\s*[-,&]?\s*({_NUMBER})\s*({_UNIT})?")
# Two units that may follow each other: 8 ft 6 in, 4 m 20 cm.
_PAIRS: Final = frozenset((("ft", "in"), ("m", "cm"), ("m", "mm"), ("cm", "mm")))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, and the unit that its cell names, if it names one; 8'6" is 8½ ft."""

    value: Decimal | Fraction
    unit: str | None


def parse_quantity(text: str, style: NumberStyle | None) -> Quantity | None:
    """Return the measure in a text cell, or None for a text that is none."""
    if len(text) > MAX_NUMBER:
        return None
    number = parse_number(text, style)
    if number is not None:
        return Quantity(number, None)
    text = unify_primes(text).strip()
    if match := _ONE.fullmatch(text):
        value, unit = parse_number(match[1], style), parse_unit(match[2])
        return None if value is None or unit is None else Quantity(value, unit)
    if match := _TWO.fullmatch(text):
        return _add_parts(match, style)
    return None


def to_stored(value: Decimal | Fraction, unit: str, measure: str) -> Decimal:
    """Return a measure as it is stored: a length in m, others in cm, half up to 3 decimals."""
    stored = Fraction(value) * Fraction(UNITS[unit]) * (1 if measure == "length" else 100)
    thousandths = (abs(stored) * 2000 + 1) // 2
    return Decimal(thousandths if stored >= 0 else -thousandths).scaleb(-3)


def _add_parts(match: re.Match[str], style: NumberStyle | None) -> Quantity | None:
    """Return 8 ft 6 in as 8½ ft; the second part is less than one of the first unit."""
    unit = parse_unit(match[2])
    second = parse_unit(match[4]) if match[4] else "in"
    value = parse_number(match[3], style)
    if unit is None or (unit, second) not in _PAIRS or second is None or value is None:
        return None
    part = Fraction(value) * Fraction(UNITS[second]) / Fraction(UNITS[unit])
    return Quantity(int(match[1]) + part, unit) if 0 <= part < 1 else None
