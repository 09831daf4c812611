"""The words of tally headers, by field and language."""

from __future__ import annotations

from typing import Final

BARCODE, LENGTH, BREADTH, HEIGHT = "barcode", "length", "breadth", "height"
VOLUME, PIECES, DIAMETER, COUNTER = "volume", "pieces", "diameter", "number"
MEASURES: Final = (LENGTH, BREADTH, HEIGHT)
