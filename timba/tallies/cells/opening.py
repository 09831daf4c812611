"""Opens an uploaded tally sheet, XLSX or CSV, as grids of cells. Runs in the sandbox."""

from __future__ import annotations

from typing import BinaryIO

from timba.tallies.cells.archives import is_workbook
from timba.tallies.cells.csv_cells import read_csv
from timba.tallies.cells.grids import Workbook
from timba.tallies.cells.workbook_cells import read_workbook


def open_workbook(stream: BinaryIO, *, encoding: str | None = None) -> Workbook:
    """Return the cells of a sheet; `encoding` is that of a CSV, where it is known.

    Raises FileRefused for a file that cannot be read, and UnknownEncoding for a CSV whose encoding
    cannot be told.
    """
    if is_workbook(stream):
        return read_workbook(stream)
    return read_csv(stream.read(), encoding=encoding)
