"""The rules for a log's measures and barcode, and its volume in exact decimal arithmetic.

They apply to logs that are entered one by one and to those of a tally sheet. The module is pure,
because the sandbox imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from timba.errors import Invalid

MEASURE_DIGITS: Final = 7
MEASURE_DECIMALS: Final = 3
_WHOLE_DIGITS: Final = MEASURE_DIGITS - MEASURE_DECIMALS
# A measure is less than this, in its unit.
MEASURE_LIMIT: Final = Decimal(10) ** _WHOLE_DIGITS
MAX_BARCODE: Final = 50
BARCODE_RULE: Final = f"A barcode has 1 to {MAX_BARCODE} printable characters."
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


def is_barcode(text: str) -> bool:
    """Return whether `text` can be a barcode; see `BARCODE_RULE`."""
    return 1 <= len(text) <= MAX_BARCODE and text.isprintable()


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


def check_barcode(barcode: str | None) -> None:
    """Raise Invalid for an invalid barcode; None stands for one that is generated."""
    if barcode is not None and not is_barcode(barcode):
        raise Invalid(fields={"barcode": [BARCODE_RULE]})
