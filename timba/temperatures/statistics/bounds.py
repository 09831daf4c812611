"""The time range of a query: ISO 8601 texts of callers as exact microseconds since 1970 UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from timba.temperatures.lines.timestamp_fields import DAY, EPOCH_DAY, HOUR, MINUTE, SECOND

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Every reading lies strictly between these, in microseconds since 1970: its year is 1970 to 2199
# in its own time zone, whose offset may move it by up to a day.
MIN_TIME: Final = -366 * DAY
MAX_TIME: Final = 231 * 366 * DAY

_MICROSECOND: Final = timedelta(microseconds=1)
# The sign of an offset may be a blank: an unescaped + in a query string decodes to one.
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:[Zz]|([+ -])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeRange:
    """The half-open interval [start, stop), in microseconds since 1970-01-01 UTC."""

    start: int = MIN_TIME
    stop: int = MAX_TIME

    @property
    def is_unbounded(self) -> bool:
        """Whether every possible reading lies within the range."""
        return self.start <= MIN_TIME and self.stop >= MAX_TIME


ALL_TIME: Final = TimeRange()


def parse_timestamp(text: str) -> int:
    """Return an ISO 8601 date or time as microseconds since 1970, rounded up.

    Rounding up is exact for both ends of a half-open range, because readings lie on whole
    microseconds. Without an offset the text is in UTC; a date alone is its midnight. The result is
    limited to MIN_TIME..MAX_TIME. Raises ValueError for any other text.
    """
    match = _TIMESTAMP.fullmatch(text)
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
    return min(max(at, MIN_TIME), MAX_TIME)


def to_datetime(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a datetime in UTC."""
    return EPOCH + microseconds * _MICROSECOND


def to_microseconds(at: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND
