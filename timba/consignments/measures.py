"""The rules for a log's measures, and its volume in exact decimal arithmetic.

They apply to logs that are entered one by one and to those of a tally sheet. The module is pure,
because the sandbox imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from timba.errors import Invalid

MEASURE_DIGITS: Final = 7
MEASURE_DECIMALS: Final = 3
_WHOLE_DIGITS: Final = MEASURE_DIGITS - MEASURE_DECIMALS
# A measure is less than this, in its unit.
MEASURE_LIMIT: Final = Decimal(10) ** _WHOLE_DIGITS


@dataclass(frozen=True, slots=True)
class PlausibleRange:
    """The smallest and the largest value that a measure of a log can have, in its unit."""

    least: Decimal
    most: Decimal
    unit: str
    adjective: str

    @property
    def rule(self) -> str:
        return f"A log is {self.least} to {self.most} {self.unit} {self.adjective}."

    def __contains__(self, value: Decimal) -> bool:
        return self.least <= value <= self.most


PLAUSIBLE: Final[Mapping[str, PlausibleRange]] = {
    "length": PlausibleRange(Decimal("0.1"), Decimal(40), "m", "long"),
    "breadth": PlausibleRange(Decimal("0.5"), Decimal(300), "cm", "broad"),
    "height": PlausibleRange(Decimal("0.5"), Decimal(300), "cm", "high"),
}
# The largest value of the column for a consignment's volume, in m³.
MAX_TOTAL_VOLUME: Final = Decimal("99999999999.999")
_CM2_PER_M2: Final = Decimal(10_000)
_LITRE: Final = Decimal("0.001")  # in m³


def volume(*, length: Decimal, breadth: Decimal, height: Decimal) -> Decimal:
    """Return the volume in m³ of a log with `length` in m, `breadth` and `height` in cm.

    It is rounded half up to three decimals (a litre).
    """
    product = length * breadth * height / _CM2_PER_M2
    return product.quantize(_LITRE, rounding=ROUND_HALF_UP)


def check_measures(measures: Mapping[str, Decimal]) -> None:
    """Raise Invalid for the first measure that is not valid."""
    for name, value in measures.items():
        if not value.is_finite() or value <= 0:
            raise Invalid(fields={name: ["Give a number greater than 0."]})
        if value >= MEASURE_LIMIT or value != round(value, MEASURE_DECIMALS):
            sentence = (
                f"Give at most {MEASURE_DECIMALS} decimals and {_WHOLE_DIGITS} digits before them."
            )
            raise Invalid(fields={name: [sentence]})
        if value not in PLAUSIBLE[name]:
            raise Invalid(fields={name: [PLAUSIBLE[name].rule]})
