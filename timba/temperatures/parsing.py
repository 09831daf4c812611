"""What a good line of a temperature file is, and why a bad one is bad.

`judge` is the definition, in Python that can be read beside the contract. `read_block` applies it
to a whole block; a faster reader may stand in for it only where it gives the same answer.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from timba.temperatures.lines import BOM, MAX_LINE, Block

MAX_CITY = 2**31 - 1
LOWEST, HIGHEST = -27315, 99999
FIRST_YEAR, LAST_YEAR = 1970, 2199
SHOWN_CHARACTERS = 1000
LINES_THAT_TELL = 20

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH_DAY = date(1970, 1, 1).toordinal()

BLANKS = b" \t"
TEMPERATURE = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?")
TIMESTAMP = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    rb"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    rb"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
# A column's name: words that begin with a letter, perhaps with a unit, perhaps quoted.
NAME = re.compile(r"""(["']?)[^\W\d_][\w .:/%°()\[\]-]{0,62}\1""")
NO_NAMES = frozenset({"inf", "infinity", "n/a", "na", "nan", "nil", "none", "null"})


class Reason(StrEnum):
    """Why a line is no reading, in a sentence."""

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
    """One good line; a named tuple because there are millions of them."""

    city: int
    hundredths: int
    at: int
    """Microseconds since 1970 in UTC."""


class Bad(NamedTuple):
    """One bad line's reason."""

    reason: Reason


class Reject(NamedTuple):
    """One bad line as it is reported."""

    line: int
    reason: Reason
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What one block held: its good lines as columns, its bad ones one by one."""

    cities: npt.NDArray[np.int32]
    hundredths: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    rejects: list[Reject]


def read_block(block: Block) -> Parsed:
    """Judge every line of a block; a header counts as a line and is neither good nor bad."""
    cities, hundredths, times = array("i"), array("i"), array("q")
    rejects = []
    for number, line in block.lines():
        verdict = judge(line)
        if isinstance(verdict, Reading):
            cities.append(verdict.city)
            hundredths.append(verdict.hundredths)
            times.append(verdict.at)
        elif verdict is not None and not (number == 1 and is_header(line)):
            rejects.append(Reject(number, verdict.reason, shown(line)))
    return Parsed(
        cities=np.asarray(cities, dtype=np.int32),
        hundredths=np.asarray(hundredths, dtype=np.int32),
        times=np.asarray(times, dtype=np.int64),
        rejects=rejects,
    )


def judge(line: bytes) -> Reading | Bad | None:
    """Say what a line without its line end is: a reading, bad for a reason, or blank (None)."""
    if len(line) > MAX_LINE:
        return Bad(Reason.TOO_LONG)
    if not line.strip(BLANKS):
        return None
    if not _is_utf8(line):
        return Bad(Reason.NOT_UTF8)
    if b"\0" in line:
        return Bad(Reason.NUL)
    if line.count(b",") != 2:
        return Bad(Reason.FIELDS)
    city, temperature, timestamp = (field.strip(BLANKS) for field in line.split(b","))
    try:
        return Reading(_city(city), _hundredths(temperature), _microseconds(timestamp))
    except _Refused as refusal:
        return Bad(refusal.reason)


def is_header(line: bytes) -> bool:
    """Say whether a line that is no reading names three columns."""
    if len(line) > MAX_LINE or line.count(b",") != 2 or not _is_utf8(line):
        return False
    names = [name.strip(" \t") for name in line.decode().split(",")]
    return all(NAME.fullmatch(name) and name.lower() not in NO_NAMES for name in names)


def looks_like_readings(first_lines: Iterable[bytes]) -> bool:
    """Say whether one of a file's first 20 lines is a reading."""
    for number, line in zip(range(LINES_THAT_TELL), first_lines, strict=False):
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        if isinstance(judge(text.removeprefix(BOM) if number == 0 else text), Reading):
            return True
    return False


def shown(line: bytes) -> str:
    """Return a line as text that every store takes, cut at 1,000 characters."""
    # No character needs more than four bytes; decoding a whole megabyte would be waste.
    text = line[: 4 * SHOWN_CHARACTERS + 4].decode(errors="replace")
    return text[:SHOWN_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Refused(Exception):
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


def _city(text: bytes) -> int:
    if not text.isdigit():
        raise _Refused(Reason.CITY)
    digits = text.lstrip(b"0")
    # Counted first: Python refuses to convert thousands of digits.
    if not 1 <= len(digits) <= 10 or int(digits) > MAX_CITY:
        raise _Refused(Reason.CITY_RANGE)
    return int(digits)


def _hundredths(text: bytes) -> int:
    """Round half away from zero: the third decimal alone decides, on the magnitude."""
    match = TEMPERATURE.fullmatch(text)
    if match is None:
        raise _Refused(Reason.TEMPERATURE)
    sign, whole, fraction = match.groups(default=b"")
    whole = whole.lstrip(b"0")
    if len(whole) > 3:
        raise _Refused(Reason.TEMPERATURE_RANGE)
    magnitude = int(whole + fraction[:2].ljust(2, b"0")) + (fraction[2:3] >= b"5")
    hundredths = -magnitude if sign else magnitude
    if not LOWEST <= hundredths <= HIGHEST:
        raise _Refused(Reason.TEMPERATURE_RANGE)
    return hundredths


def _microseconds(text: bytes) -> int:
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        raise _Refused(Reason.TIMESTAMP)
    day, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups(default=b"0")
    if not (hour <= b"23" and minute <= b"59" and second <= b"59"):
        raise _Refused(Reason.TIME)
    if not (off_hour <= b"23" and off_minute <= b"59"):
        raise _Refused(Reason.OFFSET)
    at = _day(day) + int(hour) * HOUR + int(minute) * MINUTE + int(second) * SECOND
    at += int(fraction[:6].ljust(6, b"0"))
    offset = int(off_hour) * HOUR + int(off_minute) * MINUTE
    return at + offset if sign == b"-" else at - offset


@lru_cache(maxsize=4096)
def _day(text: bytes) -> int:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _Refused(Reason.YEAR)
    try:
        return (date(year, month, day).toordinal() - EPOCH_DAY) * DAY
    except ValueError as problem:
        raise _Refused(Reason.DATE) from problem
