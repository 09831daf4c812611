"""Writes a large tally in a process of its own: `child.py ENDING`, from a spool on standard input.

In a thread of the web server the same work would take turns with everybody's answers. No Django
here: it starts in a moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

from timba.consignments.tallies.facts import Tally
from timba.consignments.tallies.spool import read_spool

# Answers go first.
_NICENESS: Final = 10


def writer_of(ending: str) -> Callable[[Tally, BinaryIO], None]:
    """Return what writes files of this ending; loaded when it is asked for: some load slowly."""
    if ending == "csv":
        from timba.consignments.tallies.plain import write_csv  # noqa: PLC0415

        return write_csv
    if ending == "xlsx":
        from timba.consignments.tallies.workbook import write_workbook  # noqa: PLC0415

        return write_workbook
    from timba.consignments.tallies.paper import write_pdf  # noqa: PLC0415

    return write_pdf


def main() -> None:
    """Write the tally of the spool on standard input to the file on standard output."""
    os.nice(_NICENESS)
    with open(0, "rb", closefd=False) as spool, open(1, "wb", closefd=False) as out:
        writer_of(sys.argv[1])(read_spool(spool), out)
