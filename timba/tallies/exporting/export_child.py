"""The process that writes a large export: arguments EXTENSION DECIMAL, a spool on standard input.

In a thread of the web server this work would hold the interpreter lock that every request needs.
Django is not imported, so that the process starts quickly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Final

from timba.tallies.exporting.pdf import write_pdf
from timba.tallies.exporting.spreadsheets import write_csv, write_xlsx
from timba.tallies.exporting.tally import Tally, read_spool

# Added to the niceness of the web server, so that requests are served first.
_NICENESS: Final = 10


def main() -> None:
    """Write the tally in the spool on standard input to standard output."""
    os.nice(_NICENESS)
    with open(0, "rb", closefd=False) as spool, open(1, "wb", closefd=False) as out:
        get_writer(*sys.argv[1:])(read_spool(spool), out)


def get_writer(extension: str, decimal: str = ".") -> Callable[[Tally, BinaryIO], None]:
    """Return the function that writes a tally as `csv`, `xlsx` or `pdf`.

    `decimal` is the decimal separator of a CSV.
    """
    if extension == "csv":
        return partial(write_csv, decimal=decimal)
    return {"xlsx": write_xlsx, "pdf": write_pdf}[extension]
