"""Parses timestamps, as loggers and spreadsheets write them, to microseconds since 1970 UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Final

from timba.temperatures.layout.layouts import DateOrder, Layout
from timba.temperatures.lines.reasons import LineError, Reason, timestamp_reason

# Characters.
_MAX_DATE: Final = len("2025-01-31")
FIRST_YEAR, LAST_YEAR = 1970, 2199
# Microseconds.
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH_DAY = date(1970, 1, 1).toordinal()

# A date, T or one blank, the time of day, perhaps AM or PM, and a zone.
_TIMESTAMP: Final = (
    r"([0-9/.-]+)[T ]([0-9]{{1,2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:[{points}]([0-9]+))?)?"
    r"(?: ?([AaPp])(?:[Mm]|\.[Mm]\.))?(.*)"
)

_PLAIN_DATES: Final = (r"(?P<year>[0-9]{4})([/-])(?P<month>[0-9]{2})\2(?P<day>[0-9]{2})",)
_PART: Final = "[0-9]{1,2}"
_FULL_YEAR_FIRST: Final = rf"(?P<year>[0-9]{{4}})([/.-])(?P<month>{_PART})\2(?P<day>{_PART})"
_SHORT_YEAR_FIRST: Final = rf"(?P<year>[0-9]{{2}})([/.-])(?P<month>{_PART})\2(?P<day>{_PART})"
_YEAR_LAST: Final = {
    DateOrder.DAY_FIRST: rf"(?P<day>{_PART})([/.-])(?P<month>{_PART})",
    DateOrder.MONTH_FIRST: rf"(?P<month>{_PART})([/.-])(?P<day>{_PART})",
}

_OFFSET: Final = "(?P<sign>[+-])(?P<hour>[0-9]{2})(?::?(?P<minute>[0-9]{2}))?"
_SHORT_OFFSET: Final = "(?P<sign>[+-])(?P<hour>[0-9])(?::(?P<minute>[0-9]{2}))?"
_PLAIN_ZONES: Final = ("Z", " UTC", f" ?{_OFFSET}")
_NAME: Final = " ?(?:UTC|GMT)"
_ZONES: Final = (*_PLAIN_ZONES, _NAME, _NAME + _OFFSET, _NAME + _SHORT_OFFSET)


def timestamp_parser(layout: Layout) -> Callable[[str], int]:
    """Return the parser of the timestamps of this layout; it raises LineError.

    A date and a time in columns of their own are parsed as one text, with a T between them.
    """
    # ISO 8601 has a comma before the fraction of a second where the decimal mark is one.
    points = ".," if layout.decimal == "," != layout.delimiter else "."
    timestamp = re.compile(_TIMESTAMP.format(points=points))
    parse_date, parse_zone = _date_parser(layout), _zone_parser(layout)
    reason = timestamp_reason(layout)

    def parse_timestamp(text: str) -> int:
        match = timestamp.fullmatch(text)
        if match is None:
            raise LineError(reason)
        day, hour, minute, second, fraction, half, zone = match.groups(default="")
        at = parse_date(day) - parse_zone(zone) + _parse_hour(hour, half) * HOUR
        if minute > "59" or second > "59":
            raise LineError(Reason.TIME)
        at += int(minute) * MINUTE
        if second:
            at += int(second) * SECOND
        # What is finer than a microsecond is cut off.
        return at + int(fraction[:6].ljust(6, "0")) if fraction else at

    return parse_timestamp


def _parse_hour(text: str, half: str) -> int:
    hour = int(text)
    if not half:
        if hour > 23:
            raise LineError(Reason.TIME)
        return hour
    if not 1 <= hour <= 12:
        raise LineError(Reason.TIME)
    # 12 AM is midnight and 12 PM noon.
    return hour % 12 + (12 if half in "Pp" else 0)


def _date_parser(layout: Layout) -> Callable[[str], int]:
    """Return the parser of dates, to microseconds since 1970-01-01."""
    forms = _compile(_date_forms(layout))
    reason = timestamp_reason(layout)

    def find_date(text: str) -> int | str:
        parts = _match_any(forms, text)
        if parts is None:
            return reason
        year = full_year(parts["year"])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return Reason.YEAR
        try:
            day = date(year, int(parts["month"]), int(parts["day"]))
        except ValueError:
            return Reason.DATE
        return (day.toordinal() - EPOCH_DAY) * DAY

    # Reasons are remembered too: a date that is bad in one line is bad in many.
    remember = lru_cache(maxsize=4096)(find_date)

    def parse_date(text: str) -> int:
        found = remember(text) if len(text) <= _MAX_DATE else reason
        if isinstance(found, str):
            raise LineError(found)
        return found

    return parse_date


def _date_forms(layout: Layout) -> tuple[str, ...]:
    if layout.has_plain_lines:
        return _PLAIN_DATES
    if layout.dates in _YEAR_LAST:
        year_last = _YEAR_LAST[layout.dates] + r"\2(?P<year>[0-9]{4}|[0-9]{2})"
        return (_FULL_YEAR_FIRST, year_last)
    if layout.two_digit_years:
        return (_FULL_YEAR_FIRST, _SHORT_YEAR_FIRST)
    return (_FULL_YEAR_FIRST,)


def full_year(text: str) -> int:
    """Return a year of four digits; of two, from 00 to 69 they are of the 21st century."""
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < 70 else 1900)


def _zone_parser(layout: Layout) -> Callable[[str], int]:
    """Return the parser of what follows the time, to microseconds east of UTC."""
    forms = _compile(_PLAIN_ZONES if layout.has_plain_lines else _ZONES)
    reason = timestamp_reason(layout)
    default = layout.zone_offset * MINUTE

    @lru_cache(maxsize=256)
    def parse_zone(text: str) -> int:
        if not text:
            return default
        match = _match_any(forms, text)
        if match is None:
            raise LineError(reason)
        parts = match.groupdict()
        hour, minute = parts.get("hour") or "00", parts.get("minute") or "00"
        if int(hour) > 23 or minute > "59":
            raise LineError(Reason.OFFSET)
        offset = int(hour) * HOUR + int(minute) * MINUTE
        return -offset if parts.get("sign") == "-" else offset

    return parse_zone


def _compile(forms: Iterable[str]) -> list[re.Pattern[str]]:
    return [re.compile(form) for form in forms]


def _match_any(forms: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((match for form in forms if (match := form.fullmatch(text))), None)
