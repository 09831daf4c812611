"""The time zone of a client: the times in its PDFs and on paper are in it, and say so.

Nothing here may import Django, which the process that writes a PDF does without to start quickly.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

UTC_NAME: Final = "UTC"
# Names that a time zone database holds for programs; they stand for no place.
_NOT_ZONES: Final = frozenset({"Factory", "localtime", "posixrules"})


class HasTimeZone(Protocol):
    """A client, as far as its time zone is concerned."""

    time_zone: str


def is_time_zone(name: str) -> bool:
    """Whether this is the name of a time zone, spelt exactly as in the IANA database."""
    return name in time_zone_names()


@cache
def time_zone_names() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones() - _NOT_ZONES)


def client_zone(client: HasTimeZone) -> ZoneInfo:
    """Return the client's time zone; UTC if this machine's database has lost its name."""
    return find_zone(client.time_zone)


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone with this name, or else UTC."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return ZoneInfo(UTC_NAME)


def format_in_zone(at: datetime, zone: ZoneInfo) -> str:
    """Return a time to the minute with the name of its zone and, except for UTC, the offset."""
    local = at.astimezone(zone)
    text = f"{local:%Y-%m-%d %H:%M} {zone.key}"
    return text if zone.key == UTC_NAME else f"{text} ({_format_offset(local)})"


def _format_offset(local: datetime) -> str:
    """Return the offset as `UTC+2` or `UTC+5:30`: in autumn an hour occurs twice."""
    offset = local.strftime("%z")
    hours, minutes = f"{offset[0]}{int(offset[1:3])}", offset[3:5]
    return f"UTC{hours}" if minutes == "00" else f"UTC{hours}:{minutes}"
