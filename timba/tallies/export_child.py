"""The process that writes a large export: `export_child.py EXTENSION`, a spool on standard input.

In a thread of the web server this work would hold the interpreter lock that every request needs.
Django is not imported, so that the process starts quickly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

from timba.tallies.pdf import write_pdf
from timba.tallies.spreadsheets import write_csv, write_xlsx
from timba.tallies.tally import Tally, read_spool

# Added to the niceness of the web server, so that requests are served first.
_NICENESS: Final = 10


def main() -> None:
    """Write the tally in the spool on standard input to standard output."""
    os.nice(_NICENESS)
    with open(0, "rb", closefd=False) as spool, open(1, "wb", closefd=False) as out:
        get_writer(sys.argv[1])(read_spool(spool), out)


def get_writer(extension: str) -> Callable[[Tally, BinaryIO], None]:
    """Return the function that writes a tally as `csv`, `xlsx` or `pdf`."""
    return {"csv": write_csv, "xlsx": write_xlsx, "pdf": write_pdf}[extension]
