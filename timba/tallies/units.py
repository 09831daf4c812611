"""The units in which tally sheets give measures, and their words in the languages of the trade."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

# Exact lengths in metres.
UNITS: Final[Mapping[str, Decimal]] = {
    "mm": Decimal("0.001"),
    "cm": Decimal("0.01"),
    "m": Decimal(1),
    "in": Decimal("0.0254"),
    "ft": Decimal("0.3048"),
}


def parse_unit(text: str) -> str | None:
    """Return the unit that a text is, a key of UNITS, or None."""
    text = text.strip("()[] .").casefold()
    return text if text in UNITS else None


def looks_like_unit(text: str) -> bool:
    """Return whether a text is a unit of length that is not among UNITS, such as yards."""
    return text.strip("()[] .").casefold() in ("yd", "dm", "km", "line")
