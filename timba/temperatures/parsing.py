"""Defines what a good line of a temperature file is, and why a bad line is rejected.

`parse_line` is the definition, in plain Python that can be compared with the contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines import BOM, MAX_LINE

MAX_CITY = 2**31 - 1
# Hundredths of a degree Celsius.
MIN_HUNDREDTHS, MAX_HUNDREDTHS = -27315, 99999
FIRST_YEAR, LAST_YEAR = 1970, 2199
# Characters of a rejected line that are stored.
MAX_EXCERPT = 1000
# A file is of readings if one of this many first lines is a reading.
SNIFFED_LINES = 20

# Microseconds.
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH_DAY = date(1970, 1, 1).toordinal()

_BLANKS = b" \t"
_TEMPERATURE = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?")
_TIMESTAMP = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    rb"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    rb"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
# The name of a column in a header: it begins with a letter, and may have a unit and quotes.
_COLUMN_NAME = re.compile(r"""(["']?)[^\W\d_][\w .:/%°()\[\]-]{0,62}\1""")
_MISSING_VALUES = frozenset({"inf", "infinity", "n/a", "na", "nan", "nil", "none", "null"})


class Reason(StrEnum):
    """Why a line is rejected, as a sentence for users."""

    TOO_LONG = "The line is longer than 1 MB."
    NOT_UTF8 = "The line is not UTF-8 text."
    NUL = "The line holds a NUL character."
    FIELDS = "The line does not have exactly three fields: city_id,temperature,timestamp."
    CITY = "The city_id is not a whole number in plain digits."
    CITY_RANGE = "The city_id is not between 1 and 2147483647."
    TEMPERATURE = "The temperature is not a plain number such as -3.25."
    TEMPERATURE_RANGE = "The temperature is not between -273.15 and 999.99 °C."
    TIMESTAMP = "The timestamp is not written like 2025-01-31T14:05:00Z."
    YEAR = "The timestamp's year is not between 1970 and 2199."
    DATE = "The timestamp's date does not exist."
    TIME = "The timestamp's time of day does not exist."
    OFFSET = "The timestamp's offset from UTC does not exist."


class Reading(NamedTuple):
    """The reading on one line; a named tuple, because there are millions of them."""

    city: int
    hundredths: int
    """Hundredths of a degree Celsius."""
    at: int
    """Microseconds since 1970-01-01 UTC."""


class RejectedLine(NamedTuple):
    """The reason why one line is not a reading."""

    reason: Reason


class Reject(NamedTuple):
    """A rejected line as it is reported; `line` is its number in the file, from 1."""

    line: int
    reason: Reason
    text: str


def parse_line(
    line: bytes,
    layout: Layout = PLAIN,  # noqa: ARG001
) -> Reading | RejectedLine | None:
    """Parse a line without its line end; return None for a blank one."""
    if len(line) > MAX_LINE:
        return RejectedLine(Reason.TOO_LONG)
    if not line.strip(_BLANKS):
        return None
    if not _is_utf8(line):
        return RejectedLine(Reason.NOT_UTF8)
    if b"\0" in line:
        return RejectedLine(Reason.NUL)
    if line.count(b",") != 2:
        return RejectedLine(Reason.FIELDS)
    city, temperature, timestamp = (field.strip(_BLANKS) for field in line.split(b","))
    try:
        return Reading(
            _parse_city(city), _parse_temperature(temperature), _parse_timestamp(timestamp)
        )
    except _FieldError as error:
        return RejectedLine(error.reason)


def is_header(line: bytes) -> bool:
    """Return whether a line that is not a reading holds the names of three columns."""
    if len(line) > MAX_LINE or line.count(b",") != 2 or not _is_utf8(line):
        return False
    names = [name.strip(" \t") for name in line.decode().split(",")]
    return all(
        _COLUMN_NAME.fullmatch(name) and name.lower() not in _MISSING_VALUES for name in names
    )


def looks_like_readings(first_lines: Iterable[bytes]) -> bool:
    """Return whether one of the first 20 lines of a file is a reading."""
    for number, line in zip(range(SNIFFED_LINES), first_lines, strict=False):
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        if isinstance(parse_line(text.removeprefix(BOM) if number == 0 else text), Reading):
            return True
    return False


def excerpt(line: bytes) -> str:
    """Return the first 1,000 characters of a line as text that every database can store."""
    # A character has at most four bytes in UTF-8; decoding a whole megabyte would be wasteful.
    text = line[: 4 * MAX_EXCERPT + 4].decode(errors="replace")
    return text[:MAX_EXCERPT].replace("\0", "\N{REPLACEMENT CHARACTER}")


class _FieldError(Exception):
    """One field of a line is invalid."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parse_city(text: bytes) -> int:
    if not text.isdigit():
        raise _FieldError(Reason.CITY)
    digits = text.lstrip(b"0")
    # Python refuses to convert thousands of digits, so they are counted first.
    if not 1 <= len(digits) <= 10 or int(digits) > MAX_CITY:
        raise _FieldError(Reason.CITY_RANGE)
    return int(digits)


def _parse_temperature(text: bytes) -> int:
    """Return hundredths of a degree, rounded half away from zero.

    The magnitude is rounded, so the third decimal alone decides.
    """
    match = _TEMPERATURE.fullmatch(text)
    if match is None:
        raise _FieldError(Reason.TEMPERATURE)
    sign, whole, fraction = match.groups(default=b"")
    whole = whole.lstrip(b"0")
    if len(whole) > 3:
        raise _FieldError(Reason.TEMPERATURE_RANGE)
    magnitude = int(whole + fraction[:2].ljust(2, b"0")) + (fraction[2:3] >= b"5")
    hundredths = -magnitude if sign else magnitude
    if not MIN_HUNDREDTHS <= hundredths <= MAX_HUNDREDTHS:
        raise _FieldError(Reason.TEMPERATURE_RANGE)
    return hundredths


def _parse_timestamp(text: bytes) -> int:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise _FieldError(Reason.TIMESTAMP)
    day, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups(default=b"0")
    if not (hour <= b"23" and minute <= b"59" and second <= b"59"):
        raise _FieldError(Reason.TIME)
    if not (off_hour <= b"23" and off_minute <= b"59"):
        raise _FieldError(Reason.OFFSET)
    at = _parse_date(day) + int(hour) * HOUR + int(minute) * MINUTE + int(second) * SECOND
    at += int(fraction[:6].ljust(6, b"0"))
    offset = int(off_hour) * HOUR + int(off_minute) * MINUTE
    return at + offset if sign == b"-" else at - offset


@lru_cache(maxsize=4096)
def _parse_date(text: bytes) -> int:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _FieldError(Reason.YEAR)
    try:
        return (date(year, month, day).toordinal() - EPOCH_DAY) * DAY
    except ValueError as error:
        raise _FieldError(Reason.DATE) from error
