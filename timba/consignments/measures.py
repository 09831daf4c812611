"""The arithmetic of timber logs: pure, exact, in decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

MEASURE_DIGITS: Final = 7
MEASURE_DECIMALS: Final = 3
MAX_BARCODE: Final = 50
BARCODE_RULE: Final = f"A barcode has 1 to {MAX_BARCODE} printable characters."
# What the column of a consignment's volume holds.
MAX_TOTAL: Final = Decimal("99999999999.999")
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
