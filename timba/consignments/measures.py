"""What the measures and the barcode of a log can be, and its volume: pure, exact, in decimals.

The same rules hold for logs that are typed in one by one and for those of a tally sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from timba.errors import Invalid

MEASURE_DIGITS: Final = 7
MEASURE_DECIMALS: Final = 3
MAX_BARCODE: Final = 50
BARCODE_RULE: Final = f"A barcode has 1 to {MAX_BARCODE} printable characters."
# What the column of a consignment's volume holds.
MAX_TOTAL: Final = Decimal("99999999999.999")
_WHOLE_DIGITS: Final = MEASURE_DIGITS - MEASURE_DECIMALS
_CUBIC_METRE: Final = Decimal(10_000)
_LITRE: Final = Decimal("0.001")


def volume(*, length: Decimal, breadth: Decimal, height: Decimal) -> Decimal:
    """Return m³ of a log of `length` in metres, `breadth` and `height` in centimetres.

    The product divided by 10,000, rounded half up to three decimals; half a litre counts as one.
    """
    product = length * breadth * height / _CUBIC_METRE
    return product.quantize(_LITRE, rounding=ROUND_HALF_UP)


def is_barcode(text: str) -> bool:
    """Return whether a log can have this barcode."""
    return 1 <= len(text) <= MAX_BARCODE and text.isprintable()


def check_measures(measures: Mapping[str, Decimal]) -> None:
    """Raise Invalid, naming the measure, for a measure that no log can have."""
    for name, value in measures.items():
        if not value.is_finite() or value <= 0:
            raise Invalid(fields={name: ["Give a number greater than 0."]})
        if value >= 10**_WHOLE_DIGITS or value != round(value, MEASURE_DECIMALS):
            sentence = (
                f"Give at most {MEASURE_DECIMALS} decimals and {_WHOLE_DIGITS} digits before them."
            )
            raise Invalid(fields={name: [sentence]})


def check_barcode(barcode: str | None) -> None:
    """Raise Invalid for an invalid barcode; None stands for one that is generated."""
    if barcode is not None and not is_barcode(barcode):
        raise Invalid(fields={"barcode": [BARCODE_RULE]})
