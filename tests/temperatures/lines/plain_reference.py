"""A second parser of plain lines, to compare with.

It shares no regular expression and no constant with the product, so that a mistake would have to
be made twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

_DIGITS = set("0123456789")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALVES = {"AM", "Am", "aM", "am", "A.M.", "A.m.", "a.M.", "a.m."}
_HALVES |= {half.replace("A", "P").replace("a", "p") for half in _HALVES}


def parse_reference(line: bytes) -> tuple[int, int, int] | str:
    """Return (city, hundredths of °C, microseconds since 1970), "blank" or "bad"."""
    if len(line) > 1048576:
        return "bad"
    try:
        text = line.decode()
        if not text.strip(" \t"):
            return "blank"
        city, temperature, timestamp = (field.strip(" \t") for field in text.split(","))
        return (
            _reference_city(city),
            _reference_hundredths(temperature),
            _reference_microseconds(timestamp),
        )
    except ValueError:
        return "bad"


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _is_number(text: str) -> bool:
    return bool(text) and set(text) <= _DIGITS


def _reference_city(text: str) -> int:
    _require(_is_number(text) and 1 <= Decimal(text) <= 2147483647)
    return int(Decimal(text))


def _reference_hundredths(text: str) -> int:
    whole, point, fraction = text.removeprefix("-").partition(".")
    _require(_is_number(whole) and (not point or _is_number(fraction)))
    with localcontext() as context:
        context.prec = len(text) + 5
        rounded = Decimal(text).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        _require(Decimal("-273.15") <= rounded <= Decimal("999.99"))
        return int(rounded * 100)


def _shape(text: str) -> str:
    """Return the text with 0 for any digit."""
    return "".join("0" if character in _DIGITS else character for character in text)


def _reference_microseconds(text: str) -> int:
    day, time = text[:10], text[11:]
    _require(_shape(day) in {"0000-00-00", "0000/00/00"} and text[10:11] in {"T", " "})
    _require(1970 <= int(day[:4]) <= 2199)
    time, offset = _reference_offset(time)
    clock, half = time, ""
    for written in _HALVES:
        if time.endswith(written):
            clock, half = time.removesuffix(written).removesuffix(" "), f" {written[0]}M"
    whole, point, fraction = clock.partition(".")
    _require(not point or (whole.count(":") == 2 and _is_number(fraction)))
    _require(_shape(whole) in {"0:00", "00:00", "0:00:00", "00:00:00"})
    seconds = ":%S" if whole.count(":") == 2 else ""
    hours = "%I" if half else "%H"
    _require(not whole.endswith(("60", "61")))  # which `strptime` takes for leap seconds
    at = datetime.strptime(
        f"{day.replace('/', '-')} {whole}{half} +0000",
        f"%Y-%m-%d {hours}:%M{seconds}{' %p' if half else ''} %z",
    )
    microseconds = int((fraction + "000000")[:6])
    return (at - _EPOCH - offset) // timedelta(microseconds=1) + microseconds


def _reference_offset(time: str) -> tuple[str, timedelta]:
    """Return the time without its zone, and the offset of the zone."""
    for zone in ("Z", " UTC"):
        if time.endswith(zone):
            return time.removesuffix(zone), timedelta(0)
    sign = max(time.rfind("+"), time.rfind("-"))
    if sign < 0:
        return time, timedelta(0)
    written = time[sign + 1 :]
    _require(_shape(written) in {"00", "0000", "00:00"})
    digits = written.replace(":", "") + "00"
    _require(digits[:2] <= "23" and digits[2:4] <= "59")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return time[:sign].removesuffix(" "), -offset if time[sign] == "-" else offset
