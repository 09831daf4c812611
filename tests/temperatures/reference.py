"""An independent reader of temperature files: plain Python with Decimal, written from the contract.

It shares no code with Timba, and is slow. `read_plain` reads the plain layout; `Written` is what a
generated file holds, as its generator knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

HUNDREDTH = Decimal("0.01")
DIGITS = frozenset("0123456789")
# Any number of digits is exact.
EXACT = Context(prec=2_000_000, rounding=ROUND_HALF_UP)

Reading = tuple[int, Decimal, datetime]
"""City, °C with two decimals, and UTC."""


class BadLine(Exception):
    """A line that is not a reading."""


@dataclass
class Written:
    """The readings that a file holds, and the numbers of its bad lines."""

    readings: list[Reading] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)

    def within(self, start: datetime | None, stop: datetime | None) -> list[Reading]:
        """Return the readings in [start, stop)."""
        return [
            reading
            for reading in self.readings
            if (start is None or reading[2] >= start) and (stop is None or reading[2] < stop)
        ]


@dataclass
class _City:
    """The sums over the readings of one city so far."""

    count: int
    total: Decimal
    lowest: Decimal
    highest: Decimal
    first: datetime
    last: datetime


def statistics(readings: Iterable[Reading]) -> dict[int, dict[str, Any]]:
    """Return the statistics by city, as the API answers them, without the names."""
    cities: dict[int, _City] = {}
    for number, degrees, at in readings:
        city = cities.get(number)
        if city is None:
            cities[number] = _City(1, degrees, degrees, degrees, at, at)
            continue
        city.count += 1
        city.total += degrees
        city.lowest, city.highest = min(city.lowest, degrees), max(city.highest, degrees)
        city.first, city.last = min(city.first, at), max(city.last, at)
    return {
        number: {
            "city_id": number,
            "count": city.count,
            "min_temp": city.lowest,
            "max_temp": city.highest,
            "mean_temp": rounded(Fraction(city.total) / city.count),
            "first_at": city.first,
            "last_at": city.last,
        }
        for number, city in cities.items()
    }


def rounded(degrees: Fraction) -> Decimal:
    """Return degrees with two decimals, rounded half away from zero."""
    hundredths = abs(degrees) * 100
    whole = hundredths.numerator // hundredths.denominator
    whole += hundredths - whole >= Fraction(1, 2)
    return Decimal(-whole if degrees < 0 else whole) * HUNDREDTH


def read_plain(lines: Iterable[bytes]) -> Written:
    """Read the lines of a file in the plain layout, without its header."""
    written = Written()
    written.readings.extend(iter_plain(lines, written.bad))
    return written


def iter_plain(lines: Iterable[bytes], bad: list[int]) -> Iterator[Reading]:
    """Yield the readings, and add the numbers of bad lines to `bad`."""
    for number, line in enumerate(lines, start=1):
        if line.strip(b" \t"):
            try:
                reading = _read_line(line)
            except (BadLine, ValueError, LookupError, OverflowError):
                bad.append(number)
            else:
                yield reading


def _read_line(line: bytes) -> Reading:
    text = line.decode()
    if len(line) > 1024 * 1024 or "\0" in text:
        raise BadLine
    city, temperature, timestamp = (part.strip(" \t") for part in text.split(","))
    number = int(_digits(city))
    if not 1 <= number <= 2**31 - 1:
        raise BadLine
    return number, _temperature(temperature), _timestamp(timestamp)


def _digits(text: str) -> str:
    if not text or not DIGITS.issuperset(text) or len(text) > 4000:
        raise BadLine
    return text


def _temperature(text: str) -> Decimal:
    whole, point, fraction = text.removeprefix("-").partition(".")
    if not DIGITS.issuperset(whole + fraction) or not whole or bool(point) != bool(fraction):
        raise BadLine
    degrees = EXACT.quantize(Decimal(text), HUNDREDTH)
    if not Decimal("-273.15") <= degrees <= Decimal("999.99"):
        raise BadLine
    return degrees + 0


def _timestamp(text: str) -> datetime:
    day, rest = text[:10], text[10:]
    if rest[:1] not in {"T", " "} or {day[4], day[7]} not in ({"-"}, {"/"}):
        raise BadLine
    clock, offset = _split_offset(rest[1:])
    year, month, of_month = (int(_digits(part)) for part in (day[:4], day[5:7], day[8:]))
    if not 1970 <= year <= 2199 or len(day) != 10:
        raise BadLine
    return datetime(year, month, of_month, tzinfo=UTC) + _clock(clock) - offset


def _split_offset(text: str) -> tuple[str, timedelta]:
    for zone in (" UTC", "Z"):
        if text.endswith(zone):
            return text.removesuffix(zone), timedelta()
    for sign in "+-":
        clock, found, zone = text.partition(sign)
        if found:
            hours, minutes = zone[:2], zone[2:].removeprefix(":")
            if len(hours) != 2 or (len(zone) > 2 and len(minutes) != 2):
                raise BadLine
            hour, minute = int(_digits(hours)), int(_digits(minutes or "0"))
            if hour > 23 or minute > 59:
                raise BadLine
            return clock.removesuffix(" "), int(f"{sign}1") * timedelta(hours=hour, minutes=minute)
    return text, timedelta()


def _clock(text: str) -> timedelta:
    text, am_pm = _split_am_pm(text)
    time, point, fraction = text.partition(".")
    parts = time.split(":")
    if not 2 <= len(parts) <= 3 or (point and len(parts) == 2) or bool(point) != bool(fraction):
        raise BadLine
    if not 1 <= len(parts[0]) <= 2 or any(len(part) != 2 for part in parts[1:]):
        raise BadLine
    hour, minute, second = (int(_digits(part)) for part in (*parts, "0")[:3])
    if am_pm:
        if not 1 <= hour <= 12:
            raise BadLine
        hour = hour % 12 + (12 if am_pm == "P" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise BadLine
    micros = int((_digits(fraction) if point else "0").ljust(6, "0")[:6])
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def _split_am_pm(text: str) -> tuple[str, str]:
    upper = text.upper().replace(".M.", "M") if text.upper().endswith(".M.") else text.upper()
    if upper.endswith(("AM", "PM")):
        return upper[:-2].removesuffix(" "), upper[-2]
    return text, ""


def split_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a file, whose ends are LF or CRLF."""
    for line in data.split(b"\n"):
        yield line.removesuffix(b"\r")
