"""Tells a tally from other CSVs by the start of the file: its header names the columns of logs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from timba.files.processors.base import FileRefused
from timba.files.text_encoding import UnknownEncoding, plausible_encodings
from timba.tallies.cells.csv_cells import read_csv
from timba.tallies.cells.grids import Row
from timba.tallies.words.header_cells import parse_header
from timba.tallies.words.vocabulary import BARCODE, BREADTH, COUNTER, DIAMETER, HEIGHT, LENGTH

# Rows at the start of a file that a header is looked for in, below titles.
_MAX_ROWS: Final = 100


def looks_like_tally(head: bytes) -> bool:
    """Return whether one of the first rows is the header of a tally.

    It names a length and a barcode; a column that only counts will do where it names another
    measure too.
    """
    try:
        return any(_is_header(row) for row in _rows(head))
    except FileRefused:
        return False


def _rows(head: bytes) -> Sequence[Row]:
    try:
        workbook = read_csv(head)
    except UnknownEncoding:
        # The words of a header are alike in all of them, or in none: the file asks later.
        encodings = plausible_encodings(head)
        if not encodings:
            return ()
        workbook = read_csv(head, encoding=encodings[0])
    [grid] = workbook.grids
    return list(islice(grid.rows, _MAX_ROWS))


def _is_header(row: Row) -> bool:
    headers = (parse_header(cell.text) for cell in row.cells if cell is not None)
    fields = {header.field for header in headers if header is not None}
    if LENGTH not in fields:
        return False
    return BARCODE in fields or (COUNTER in fields and bool(fields & {BREADTH, HEIGHT, DIAMETER}))
