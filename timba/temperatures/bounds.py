"""From when until when: what callers write as `from` and `to`, as exact microseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from timba.temperatures.parsing import DAY, EPOCH_DAY, HOUR, MINUTE, SECOND

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
# Offsets put readings up to a day outside the years 1970 to 2199; nothing lies beyond these.
BEFORE_ALL: Final = -366 * DAY
AFTER_ALL: Final = 231 * 366 * DAY

# A + in a query means a blank, so a blank may mean a +.
MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:[Zz]|([+ -])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeRange:
    """All moments from `start` up to, not including, `stop`, in microseconds since 1970."""

    start: int = BEFORE_ALL
    stop: int = AFTER_ALL

    @property
    def hold_everything(self) -> bool:
        return self.start <= BEFORE_ALL and self.stop >= AFTER_ALL


ALL_TIME: Final = TimeRange()


def parse_moment(text: str) -> int:
    """Return the first whole microsecond that is not before the moment this ISO 8601 text names.

    Rounding up is exact at either bound: readings lie on whole microseconds. Without an offset
    the text is in UTC, a date alone is its midnight. Raises ValueError for anything else.
    """
    match = MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, sign, off_hour, off_minute = match.groups(default="0")[6:]
    if hour > 23 or minute > 59 or second > 59 or int(off_hour) > 23 or int(off_minute) > 59:
        raise ValueError(f"{text!r} is not a time")
    at = (date(year, month, day).toordinal() - EPOCH_DAY) * DAY
    at += hour * HOUR + minute * MINUTE + second * SECOND + int(fraction[:6].ljust(6, "0"))
    at += bool(fraction[6:].strip("0"))
    offset = int(off_hour) * HOUR + int(off_minute) * MINUTE
    at += offset if sign == "-" else -offset
    return min(max(at, BEFORE_ALL), AFTER_ALL)


def moment(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC."""
    return EPOCH + microseconds * MICROSECOND


def microseconds(at: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND
