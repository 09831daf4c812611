"""A reference parser of lines, independent of the product's, with Decimal and datetime.

It shares no regular expression and no constant, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext

DIGITS = set("0123456789")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_reference(line: bytes) -> tuple[int, int, int] | str:
    """Return (city, hundredths of °C, microseconds since 1970), "blank" or "bad"."""
    if len(line) > 1048576:
        return "bad"
    try:
        text = line.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return "bad"
    if all(character in " \t" for character in text):
        return "blank"
    fields = [field.strip(" \t") for field in text.split(",")]
    if len(fields) != 3:
        return "bad"
    try:
        return _city(fields[0]), _hundredths(fields[1]), _microseconds(fields[2])
    except ValueError:
        return "bad"


def _number(text: str) -> int:
    if not text or not set(text) <= DIGITS:
        raise ValueError(text)
    value = 0
    for digit in text:
        value = value * 10 + ord(digit) - ord("0")
    return value


def _city(text: str) -> int:
    value = _number(text)
    if not 1 <= value <= 2147483647:
        raise ValueError(text)
    return value


def _hundredths(text: str) -> int:
    whole, point, fraction = text.removeprefix("-").partition(".")
    _number(whole)
    if point:
        _number(fraction)
    with localcontext() as context:
        context.prec = len(text) + 5
        rounded = Decimal(text).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        if not Decimal("-273.15") <= rounded <= Decimal("999.99"):
            raise ValueError(text)
        return int(rounded * 100)


def _microseconds(text: str) -> int:
    if len(text) < 16 or (text[4], text[7], text[13]) != ("-", "-", ":") or text[10] not in "T ":
        raise ValueError(text)
    year, month, day = _number(text[:4]), _number(text[5:7]), _number(text[8:10])
    hour, minute, rest = _number(text[11:13]), _number(text[14:16]), text[16:]
    second = microsecond = 0
    if rest[:1] == ":":
        second, rest = _number(rest[1:3].ljust(2)), rest[3:]
        if rest[:1] == ".":
            digits = rest[1:]
            end = next((i for i, c in enumerate(digits) if c not in DIGITS), len(digits))
            _number(digits[:end])
            microsecond, rest = _number(digits[:end][:6].ljust(6, "0")), digits[end:]
    if not 1970 <= year <= 2199:
        raise ValueError(text)
    at = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=_zone(rest))
    return (at - EPOCH) // timedelta(microseconds=1)


def _zone(text: str) -> timezone:
    if text in {"", "Z"}:
        return UTC
    if text[0] not in "+-":
        raise ValueError(text)
    hours, minutes = _number(text[1:3].ljust(2)), 0
    if rest := text[3:]:
        minutes = _number(rest.removeprefix(":").ljust(2))
        if len(rest.removeprefix(":")) > 2:
            raise ValueError(text)
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


MUTATION_BYTES = b"0123456789,.:-+TZtz eE\t\r\0\"'/;_\xc3\xa9\xff\xef\xbb\xbf"


def random_line(rng: random.Random) -> bytes:
    """Return a line that is good or nearly so, with some fields at their limits."""
    city = rng.choice(["1", "007", "2147483647", "2147483648", "0", str(rng.randrange(9999))])
    number = f"{rng.choice(['', '-'])}{rng.randrange(1100)}"
    temperature = rng.choice(
        [
            number,
            f"{number}.{rng.randrange(100):02d}",
            f"{number}.{rng.randrange(10**6):06d}",
            f"{number}.{rng.choice(['005', '995', '994', '004999', '50', '0'])}",
            rng.choice(["-273.15", "-273.154", "-273.155", "999.99", "999.994", "999.995"]),
        ]
    )
    day = f"{rng.choice([1969, 1970, 2000, 2024, 2025, 2199, 2200])}"
    day += f"-{rng.randrange(14):02d}-{rng.choice([0, 1, 15, 28, 29, 30, 31, 32]):02d}"
    time = f"{rng.randrange(25):02d}:{rng.randrange(61):02d}"
    time += rng.choice(["", f":{rng.randrange(61):02d}", ":00.5", ":59.999999999", ":07.000"])
    zone = rng.choice(["", "Z", "+02:00", "-0330", "+14", "-23:59", "+24:00", "+00:60"])
    line = f"{city},{temperature},{day}{rng.choice('T ')}{time}{zone}"
    return line.replace(",", rng.choice([",", " ,", ",\t "])).encode()


def mutate(line: bytes, rng: random.Random) -> bytes:
    """Return a line with one or two bytes changed, inserted or removed."""
    changed = bytearray(line)
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(changed))
        rng.choice(
            [
                lambda at=at: changed.__setitem__(at, rng.choice(MUTATION_BYTES)),
                lambda at=at: changed.insert(at, rng.choice(MUTATION_BYTES)),
                lambda at=at: changed.__delitem__(at),
            ]
        )()
    return bytes(changed)
