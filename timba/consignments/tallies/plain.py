"""Writes a tally as CSV: one header, one line a log, nothing that a spreadsheet would run."""

from __future__ import annotations

from typing import BinaryIO, Final

from timba.consignments.tallies.facts import Tally
from timba.spreadsheets import csv_lines

HEADER: Final = ("barcode", "length", "breadth", "height", "volume")


def write_csv(tally: Tally, out: BinaryIO) -> None:
    """Write the logs under the names that the API gives their fields."""
    out.write(csv_lines([HEADER]))
    out.writelines(csv_lines([log]) for log in tally.logs)
