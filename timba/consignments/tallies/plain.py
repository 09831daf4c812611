"""Writes a tally as CSV: one header, one line a log, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from typing import BinaryIO, Final

from timba.consignments.tallies.facts import Tally

HEADER: Final = ("barcode", "length", "breadth", "height", "volume")
# What spreadsheets take for a formula, full-width twins too; behind apostrophes as well, so that
# whoever takes one away again gets exactly the text that was there.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\0＝＋－＠]")


def write_csv(tally: Tally, out: BinaryIO) -> None:
    """Write the logs under the names that the API gives their fields."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for log in tally.logs:
        writer.writerow([_guarded(log.barcode), *log[1:]])
    text.detach()


def _guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
