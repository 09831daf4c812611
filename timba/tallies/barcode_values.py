"""Reads the cell of a barcode as the spreadsheet shows it, or says why it cannot be trusted."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from timba.consignments.barcode_text import BARCODE_RULE, is_barcode, normalize_barcode
from timba.tallies.cells.grids import Cell, CellKind
from timba.tallies.layout.measure_cells import MAX_QUOTED, WITHOUT_VALUE, BadCell

# Spreadsheets store numbers as floats, which hold at most 15 significant decimal digits exactly.
MAX_EXACT: Final = 10**15
ROUNDED: Final = (
    "The barcode “{text}” is a number too long for a spreadsheet: Excel has rounded it. Format its "
    "cells as text and enter the barcodes again."
)
_SCIENTIFIC: Final = re.compile(r"[-+]?\d+(?:[.,]\d+)?E[+-]\d+", re.ASCII | re.IGNORECASE)
# How programs write a text into a CSV so that a spreadsheet keeps it: ="0042".
_QUOTED: Final = re.compile(r'="([^"]*)"')


def read_barcode(cell: Cell | None) -> str:
    """Return the barcode in normal form; raise BadCell with the reason."""
    text = "" if cell is None else cell.text
    if cell is None or (not text.strip() and not cell.formula):
        raise BadCell("The barcode is missing.")
    if cell.kind is CellKind.ERROR:
        if cell.formula and not cell.value:
            raise BadCell(f"The barcode {WITHOUT_VALUE}")
        raise BadCell(f"The barcode is the error {text[:MAX_QUOTED]}.")
    if cell.kind is CellKind.DATE:
        raise BadCell("The barcode is a date or a time. Format its cell as text.")
    if cell.kind is CellKind.BOOLEAN:
        raise BadCell("The barcode is TRUE or FALSE. Format its cell as text.")
    is_long = isinstance(cell.value, Decimal) and abs(cell.value) >= MAX_EXACT
    if is_long or _SCIENTIFIC.fullmatch(text.strip()):
        raise BadCell(ROUNDED.format(text=text.strip()[:MAX_QUOTED]))
    if match := _QUOTED.fullmatch(text.strip()):
        text = match[1]
    barcode = normalize_barcode(text)
    if not barcode:
        raise BadCell("The barcode is missing.")
    if not is_barcode(barcode):
        raise BadCell(BARCODE_RULE)
    return barcode
