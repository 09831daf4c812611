"""The numbers that cities can have. A pure module: lines of readings are parsed with it."""

from __future__ import annotations

from typing import Final

CITY_NUMBERS: Final = range(1, 2**31)
