"""What every export of a consignment contains, and how it is passed to the process that writes it.

A spool is a file of JSON lines: the consignment first, then a line for each log. The writing
process iterates over the logs in the spool as often as it needs and never holds all of them.
Nothing here may import Django, which that process does without to start quickly.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple

from timba.accounts.time_zones import UTC_NAME, find_zone, format_in_zone


class TallyLog(NamedTuple):
    """A log: length in metres, breadth and height in centimetres, volume in m³."""

    barcode: str
    length: Decimal
    breadth: Decimal
    height: Decimal
    volume: Decimal


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A consignment and its logs, oldest first; `city` is the city's name and number, or empty.

    `time_zone` is the name of the zone of the times.
    """

    client: str
    name: str
    type: str
    vehicle_number: str
    city: str
    opened_at: datetime
    exported_at: datetime
    logs: Collection[TallyLog]
    time_zone: str = UTC_NAME

    @cached_property
    def volume(self) -> Decimal:
        """The total of exactly these logs in m³, even if the consignment has changed since."""
        return sum((log.volume for log in self.logs), Decimal("0.000"))

    def texts(self) -> list[str]:
        """Return all texts that are not Timba's own."""
        barcodes = [log.barcode for log in self.logs]
        return [self.client, self.name, self.vehicle_number, self.city, *barcodes]

    def details(self) -> list[tuple[str, str]]:
        """Return labels and values of what stands above the logs, without empty values."""
        zone = find_zone(self.time_zone)
        details = [
            ("Type", self.type.capitalize()),
            ("Vehicle", self.vehicle_number),
            ("City", self.city),
            ("Registered", format_in_zone(self.opened_at, zone)),
            ("Exported", format_in_zone(self.exported_at, zone)),
        ]
        return [(label, value) for label, value in details if value]


class SpooledLogs(Collection[TallyLog]):
    """The logs in the rest of a spool, read from it again by each iteration."""

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
    """Write the consignment of `tally`, and `logs` instead of its own logs, to a spool."""
    consignment = {
        "client": tally.client,
        "name": tally.name,
        "type": tally.type,
        "vehicle_number": tally.vehicle_number,
        "city": tally.city,
        "time_zone": tally.time_zone,
        "opened_at": tally.opened_at.isoformat(),
        "exported_at": tally.exported_at.isoformat(),
    }
    spool.write(json.dumps(consignment).encode() + b"\n")
    spool.writelines(
        json.dumps([barcode, *map(str, numbers)]).encode() + b"\n" for barcode, *numbers in logs
    )


def read_spool(spool: BinaryIO) -> Tally:
    """Return the tally in a spool, which must stay open for as long as its logs are used."""
    consignment: dict[str, Any] = json.loads(spool.readline())
    for name in ("opened_at", "exported_at"):
        consignment[name] = datetime.fromisoformat(consignment[name])
    return Tally(**consignment, logs=SpooledLogs(spool))
