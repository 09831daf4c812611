"""A reference parser of lines, independent of the product's.

It shares no regular expression and no constant, so that a mistake would have to be made twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import product

DIGITS = set("0123456789")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# How a timestamp may be written, with 0 for any digit and for any number of decimals.
TIMESTAMPS = {
    f"0000-00-00{separator}{time}{zone}"
    for separator, time, zone in product(
        "T ",
        ("00:00", "00:00:00", "00:00:00.0"),
        ("", "Z", "+00", "-00", "+0000", "-0000", "+00:00", "-00:00"),
    )
}


def parse_reference(line: bytes) -> tuple[int, int, int] | str:
    """Return (city, hundredths of °C, microseconds since 1970), "blank" or "bad"."""
    if len(line) > 1048576:
        return "bad"
    try:
        text = line.decode()
        if not text.strip(" \t"):
            return "blank"
        city, temperature, timestamp = (field.strip(" \t") for field in text.split(","))
        return _city(city), _hundredths(temperature), _microseconds(timestamp)
    except ValueError:
        return "bad"


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _is_number(text: str) -> bool:
    return bool(text) and set(text) <= DIGITS


def _city(text: str) -> int:
    _require(_is_number(text) and 1 <= Decimal(text) <= 2147483647)
    return int(Decimal(text))


def _hundredths(text: str) -> int:
    whole, point, fraction = text.removeprefix("-").partition(".")
    _require(_is_number(whole) and (not point or _is_number(fraction)))
    with localcontext() as context:
        context.prec = len(text) + 5
        rounded = Decimal(text).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        _require(Decimal("-273.15") <= rounded <= Decimal("999.99"))
        return int(rounded * 100)


def _microseconds(text: str) -> int:
    shape = "".join("0" if character in DIGITS else character for character in text)
    while ".00" in shape:
        shape = shape.replace(".00", ".0")
    _require(shape in TIMESTAMPS and 1970 <= int(text[:4]) <= 2199)
    at = datetime.fromisoformat(text)
    # Python takes an offset of 60 minutes for an hour.
    offset = text[16:].replace("-", "+").replace(":", "").partition("+")[2]
    _require(offset[2:] <= "59")
    return (at.replace(tzinfo=at.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)
