"""Writes a large tally in a process of its own: `child.py ENDING`, from a spool on standard input.

In a thread of the web server the same work would take turns with everybody's answers. No Django
here: it starts in a moment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from timba.tallies.facts import Tally, TallyLog

# Answers go first.
_NICENESS: Final = 10


def writer_of(ending: str) -> Callable[[Tally, BinaryIO], None]:
    """Return what writes files of this ending; loaded when it is asked for: some load slowly."""
    if ending == "csv":
        from timba.tallies.xlsx import write_csv  # noqa: PLC0415

        return write_csv
    if ending == "xlsx":
        from timba.tallies.xlsx import write_workbook  # noqa: PLC0415

        return write_workbook
    from timba.tallies.pdf import write_pdf  # noqa: PLC0415

    return write_pdf


def main() -> None:
    """Write the tally of the spool on standard input to the file on standard output."""
    os.nice(_NICENESS)
    with open(0, "rb", closefd=False) as spool, open(1, "wb", closefd=False) as out:
        writer_of(sys.argv[1])(read_spool(spool), out)


class SpooledLogs(Collection[TallyLog]):
    """The logs in the rest of a file, read anew each time they are gone through."""

    def __init__(self, spool: BinaryIO) -> None:
        self._spool, self._start = spool, spool.tell()
        self._count = sum(1 for _ in spool)

    def __iter__(self) -> Iterator[TallyLog]:
        self._spool.seek(self._start)
        for line in self._spool:
            barcode, *numbers = json.loads(line)
            yield TallyLog(barcode, *map(Decimal, numbers))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, log: object) -> bool:
        return any(log == each for each in self)


def write_spool(tally: Tally, logs: Iterable[TallyLog], spool: BinaryIO) -> None:
    """Write the tally's facts and, in the place of its own, these logs: one line each."""
    facts = {
        "client": tally.client,
        "name": tally.name,
        "type": tally.type,
        "vehicle_number": tally.vehicle_number,
        "city": tally.city,
        "opened_at": tally.opened_at.isoformat(),
        "exported_at": tally.exported_at.isoformat(),
    }
    spool.write(json.dumps(facts).encode() + b"\n")
    spool.writelines(
        json.dumps([barcode, *map(str, numbers)]).encode() + b"\n" for barcode, *numbers in logs
    )


def read_spool(spool: BinaryIO) -> Tally:
    """Return the tally of a file, whose logs are read as often as they are gone through."""
    facts: dict[str, Any] = json.loads(spool.readline())
    for name in ("opened_at", "exported_at"):
        facts[name] = datetime.fromisoformat(facts[name])
    return Tally(**facts, logs=SpooledLogs(spool))
