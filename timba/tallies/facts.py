"""What every export of a consignment says, whatever it is written as."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple


class TallyLog(NamedTuple):
    """A log: length in metres, breadth and height in centimetres, volume in m³."""

    barcode: str
    length: Decimal
    breadth: Decimal
    height: Decimal
    volume: Decimal


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A consignment and its logs, in the order of arrival; `city` is as people call it."""

    client: str
    name: str
    type: str
    vehicle_number: str
    city: str
    opened_at: datetime
    exported_at: datetime
    logs: Collection[TallyLog]

    @cached_property
    def volume(self) -> Decimal:
        """The sum of these logs and of no others, whatever has come in since they were read."""
        return sum((log.volume for log in self.logs), Decimal("0.000"))

    def facts(self) -> list[tuple[str, str]]:
        """Return what stands above the logs; what is not known is left out."""
        known = [
            ("Type", self.type.capitalize()),
            ("Vehicle", self.vehicle_number),
            ("City", self.city),
            ("Registered", moment(self.opened_at)),
            ("Exported", moment(self.exported_at)),
        ]
        return [(name, said) for name, said in known if said]


def moment(at: datetime) -> str:
    """Return a moment as people read it, the same in every zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
