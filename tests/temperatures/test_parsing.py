"""Good lines, bad lines and the exact boundary between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.temperatures.block_parsing import parse_block
from timba.temperatures.lines import MAX_LINE, Block
from timba.temperatures.parsing import (
    Reading,
    Reason,
    Reject,
    RejectedLine,
    excerpt,
    is_header,
    looks_like_readings,
    parse_line,
)

NOON = 1_748_779_200_000_000  # 2025-06-01T12:00:00Z: 20,240 days and a half of 86,400 s, in µs
GOOD = b"7,21.50,2025-06-01T12:00:00Z"


# --- A parser to compare with -------------------------------------------------------------------
# It shares no regular expression and no constant with the product, so that a mistake would have
# to be made twice.

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


# --- Lines ---------------------------------------------------------------------------------------

GOOD_LINES = [
    (GOOD, (7, 2150, NOON)),
    (b" 7 ,\t21.50 , 2025-06-01T12:00:00Z\t", (7, 2150, NOON)),
    (b"0000000000007,021.50,2025-06-01T12:00:00Z", (7, 2150, NOON)),
    (b"1,0,2025-06-01 12:00", (1, 0, NOON)),
    (b"2147483647,-0,2025-06-01T12:00Z", (2147483647, 0, NOON)),
    # Half away from zero, decided by the third decimal, then the range.
    (b"1,12.345,2025-06-01T12:00", (1, 1235, NOON)),
    (b"1,-12.345,2025-06-01T12:00", (1, -1235, NOON)),
    (b"1,12.3449999999999999999999,2025-06-01T12:00", (1, 1234, NOON)),
    (b"1,-0.004,2025-06-01T12:00", (1, 0, NOON)),
    (b"1,-0.005,2025-06-01T12:00", (1, -1, NOON)),
    (b"1,9.995,2025-06-01T12:00", (1, 1000, NOON)),
    (b"1,999.994,2025-06-01T12:00", (1, 99999, NOON)),
    (b"1,-273.15,2025-06-01T12:00", (1, -27315, NOON)),
    (b"1,-273.1549,2025-06-01T12:00", (1, -27315, NOON)),
    (b"1," + b"0" * 5000 + b"1.5" + b"0" * 5000 + b",2025-06-01T12:00", (1, 150, NOON)),
    # 14:00 at an offset of two hours is noon in UTC.
    (b"1,1,2025-06-01T14:00:00+02:00", (1, 100, NOON)),
    (b"1,1,2025-06-01T14:00:00+0200", (1, 100, NOON)),
    (b"1,1,2025-06-01 14:00+02", (1, 100, NOON)),
    (b"1,1,2025-06-01T08:30:00-03:30", (1, 100, NOON)),
    (b"1,1,2025-06-01T12:00:00-00:00", (1, 100, NOON)),
    (b"1,1,2025-06-02T11:59:00+23:59", (1, 100, NOON)),
    # Truncated, not rounded, to the microsecond.
    (b"1,1,2025-06-01T12:00:00.9", (1, 100, NOON + 900_000)),
    (b"1,1,2025-06-01T12:00:00.0000019Z", (1, 100, NOON + 1)),
    (b"1,1,2025-06-01T12:00:00.999999999+00:00", (1, 100, NOON + 999_999)),
    (b"1,1,1970-01-01T00:00:00Z", (1, 100, 0)),
    (b"1,1,1970-01-01T00:00:00+01:00", (1, 100, -3_600_000_000)),
    (b"1,1,2000-02-29T00:00Z", (1, 100, 951_782_400_000_000)),
    (b"1,1,2199-12-31T23:59:59.999999Z", (1, 100, 7_258_118_399_999_999)),
]


@pytest.mark.parametrize(("line", "reading"), GOOD_LINES)
def test_a_good_line_is_exactly_its_reading(line: bytes, reading: tuple[int, int, int]) -> None:
    assert parse_line(line) == Reading(*reading)
    assert parse_reference(line) == reading


BAD_LINES = {
    Reason.FIELDS: [
        b"x",
        b"7,21.50",
        b"7,21.50,2025-06-01T12:00:00Z,",
        b",7,21.50,2025-06-01T12:00:00Z",
        b"7;21.50;2025-06-01T12:00:00Z",
        b"7,21,50,2025-06-01T12:00:00Z",
        b"," * 1000,
    ],
    Reason.CITY: [
        b",21.50,2025-06-01T12:00:00Z",
        b"x,21.50,2025-06-01T12:00:00Z",
        b"+7,21.50,2025-06-01T12:00:00Z",
        b"7.0,21.50,2025-06-01T12:00:00Z",
        b"1e3,21.50,2025-06-01T12:00:00Z",
        b"1_000,21.50,2025-06-01T12:00:00Z",
        b"1 000,21.50,2025-06-01T12:00:00Z",
        b"\xef\xbb\xbf7,21.50,2025-06-01T12:00:00Z",
        "٧,21.50,2025-06-01T12:00:00Z".encode(),
    ],
    Reason.CITY_RANGE: [
        b"0,21.50,2025-06-01T12:00:00Z",
        b"2147483648,21.50,2025-06-01T12:00:00Z",
        b"9" * 5000 + b",21.50,2025-06-01T12:00:00Z",
    ],
    Reason.TEMPERATURE: [
        b"7,,2025-06-01T12:00:00Z",
        b"7,.5,2025-06-01T12:00:00Z",
        b"7,5.,2025-06-01T12:00:00Z",
        b"7,-,2025-06-01T12:00:00Z",
        b"7,+5,2025-06-01T12:00:00Z",
        b"7,--5,2025-06-01T12:00:00Z",
        b"7,- 5,2025-06-01T12:00:00Z",
        b"7,2.1.5,2025-06-01T12:00:00Z",
        b"7,2e1,2025-06-01T12:00:00Z",
        b"7,inf,2025-06-01T12:00:00Z",
        b"7,nan,2025-06-01T12:00:00Z",
        b"7,1_0.0,2025-06-01T12:00:00Z",
        b"7,21.5C,2025-06-01T12:00:00Z",
        "7,−5,2025-06-01T12:00:00Z".encode(),
        "7,２１,2025-06-01T12:00:00Z".encode(),
        b"7,2 1.5,2025-06-01T12:00:00Z",
        b"7,21.50\n8,2025-06-01T12:00:00Z",
    ],
    Reason.TEMPERATURE_RANGE: [
        b"7,-273.155,2025-06-01T12:00:00Z",
        b"7,999.995,2025-06-01T12:00:00Z",
        b"7,1000,2025-06-01T12:00:00Z",
        b"7," + b"9" * 5000 + b",2025-06-01T12:00:00Z",
    ],
    Reason.TIMESTAMP: [
        b"7,21.50,",
        b"7,21.50,2025-06-01",
        b"7,21.50,2025-06-01T12",
        b"7,21.50,12:00:00",
        b"7,21.50,2025-06-01t12:00:00Z",
        b"7,21.50,2025-06-01T12:00:00z",
        b"7,21.50,2025-06-01  12:00:00Z",
        b"7,21.50,2025-06-0112:00:00Z",
        b"7,21.50,2025-W22-7T12:00:00Z",
        b"7,21.50,01.06.2025 12:00:00",
        b"7,21.50,12025-06-01T12:00:00Z",
        b"7,21.50,2025-6-1T12:00:00Z",
        b"7,21.50,2025-06-01T12:0:00Z",
        b"7,21.50,2025-06-01T12:00:0Z",
        b"7,21.50,2025-06-01T12:00:",
        b"7,21.50,2025-06-01T12:00:00.",
        b"7,21.50,2025-06-01T12:00.5Z",
        b"7,21.50,2025-06-01T12:00:00ZZ",
        b"7,21.50,2025-06-01T12:00:00 Z",
        b"7,21.50,2025-06-01T12:00:00+2",
        b"7,21.50,2025-06-01T12:00:00+2:00",
        b"7,21.50,2025-06-01T12:00:00+02:0",
        b"7,21.50,2025-06-01T12:00:00+020",
        b"7,21.50,2025-06-01T12:00:00+02:00:00",
        "7,21.50,2025-06-01T12:00:00−02:00".encode(),
        b"7,21.50,2025-06-01T12:00:00[UTC]",
        b"7,21.50,1748779200",
        b"7,21.50,2025-06-01T12:00:00Z\n",
    ],
    Reason.YEAR: [
        b"7,21.50,0000-06-01T12:00:00Z",
        b"7,21.50,1969-12-31T23:59:59Z",
        b"7,21.50,1969-12-31T23:59:59-01:00",
        b"7,21.50,2200-01-01T00:00:00Z",
        b"7,21.50,9999-12-31T23:59:59Z",
    ],
    Reason.DATE: [
        b"7,21.50,2025-00-01T12:00:00Z",
        b"7,21.50,2025-13-01T12:00:00Z",
        b"7,21.50,2025-72-01T12:00:00Z",
        b"7,21.50,2025-06-00T12:00:00Z",
        b"7,21.50,2025-06-31T12:00:00Z",
        b"7,21.50,2025-02-29T12:00:00Z",
        b"7,21.50,2100-02-29T12:00:00Z",
    ],
    Reason.TIME: [
        b"7,21.50,2025-06-01T24:00:00Z",
        b"7,21.50,2025-06-01T12:60:00Z",
        b"7,21.50,2025-06-01T23:59:60Z",
    ],
    Reason.OFFSET: [
        b"7,21.50,2025-06-01T12:00:00+24:00",
        b"7,21.50,2025-06-01T12:00:00-00:60",
        b"7,21.50,2025-06-01T12:00:00+99",
    ],
    Reason.CARRIAGE_RETURN: [b"\r", GOOD + b"\r", b"\r" + GOOD, b"7,21.50\r,2025-06-01T12:00:00Z"],
    Reason.NUL: [b"\0", GOOD + b"\0", b"7,21.\x0050,2025-06-01T12:00:00Z"],
    Reason.NOT_UTF8: [b"\xff", GOOD + b"\xc3", b"M\xfcnchen,1,2", b"\xed\xa0\x80,1,2"],
    Reason.TOO_LONG: [b" " * (MAX_LINE + 1), GOOD + b" " * (MAX_LINE + 1 - len(GOOD))],
}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(line, reason, id=f"{reason.name}-{number}")
        for reason, lines in BAD_LINES.items()
        for number, line in enumerate(lines)
    ],
)
def test_a_bad_line_has_one_reason(line: bytes, reason: Reason) -> None:
    assert parse_line(line) == RejectedLine(reason)
    assert parse_reference(line) == "bad"


def test_every_reason_has_a_line() -> None:
    assert set(BAD_LINES) == set(Reason) - {Reason.QUOTES}


@pytest.mark.parametrize("line", [b"", b" ", b"\t \t"])
def test_a_blank_line_is_neither_good_nor_bad(line: bytes) -> None:
    assert parse_line(line) is None
    assert parse_reference(line) == "blank"


def test_a_line_of_exactly_the_limit_is_read() -> None:
    assert parse_line(GOOD + b" " * (MAX_LINE - len(GOOD))) == Reading(7, 2150, NOON)


# Lines that are good or nearly so, with some fields at their limits.
_TEMPERATURES = st.sampled_from(
    ["-273.15", "-273.154", "-273.155", "999.99", "999.994", "999.995", "-0.004", "7"]
) | st.builds("{}.{:03}".format, st.integers(-272, 998), st.integers(0, 999))
_TIMES = st.builds(
    "{}{sign}{:02}{sign}{:02}{}{:{width}}:{:02}{}{}{}".format,
    st.sampled_from([1969, 1970, 2000, 2024, 2025, 2026, 2199, 2200]),
    st.integers(1, 12),
    st.integers(1, 31),
    st.sampled_from("T "),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["", ":59", ":60", ":00.5", ":59.999999999"]),
    st.sampled_from(["", "", " AM", "PM", " a.m.", " p.m."]),
    st.sampled_from(["", "Z", " Z", " UTC", " EET", " GMT", "+02:00", " +02:00", "-0330", "+14"])
    | st.sampled_from(["-23:59", "+24:00", "+00:60", "UTC"]),
    sign=st.sampled_from("-/"),
    width=st.sampled_from(["01", "02"]),
)
_NEARLY_GOOD = st.builds(
    lambda comma, *fields: comma.join(fields).encode(),
    st.sampled_from([",", " ,", ",\t "]),
    st.sampled_from(["1", "007", "9999", "2147483647", "2147483648"]),
    _TEMPERATURES,
    _TIMES,
)
LINES = _NEARLY_GOOD | st.builds(
    lambda line, start, removed, added: line[:start] + added + line[start + removed :],
    _NEARLY_GOOD,
    st.integers(0, 40),
    st.integers(0, 2),
    st.binary(max_size=1)
    | st.sampled_from([bytes([byte]) for byte in b"0123456789,.:-+/TZAPMUC \t\r"]),
)


@settings(max_examples=250, deadline=None)
@given(LINES)
def test_parser_and_reference_agree(line: bytes) -> None:
    parsed = parse_line(line)
    outcome = "blank" if parsed is None else "bad" if isinstance(parsed, RejectedLine) else parsed
    assert outcome == parse_reference(line)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_parser(line: bytes) -> None:
    parse_line(line)
    assert len(excerpt(line)) <= 1000
    excerpt(line).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"city_id,temperature,timestamp",
        b"CITY_ID , Temperature,\tTimestamp ",
        b'"city_id","temperature","timestamp"',
        "Stadt,Temperatur (°C),Zeit [UTC]".encode(),
        b"id,t,at",
    ],
)
def test_three_names_are_a_header(line: bytes) -> None:
    assert is_header(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"city_id,temperature",
        b"city_id,temperature,timestamp,",
        b"city_id;temperature;timestamp",
        b"city_id,21.50,timestamp",
        b"x,21.50,2025-06-01T12:00:00Z",
        b"7,x,y",
        b"nan,nan,nan",
        b"a,b,null",
        b"a,,c",
        b"a,b,\xff",
        b"a,b,c\0",
        b"a,b,c" + b" " * MAX_LINE,
        b"a," + b"b" * 200 + b",c",
    ],
)
def test_a_bad_line_is_no_header(line: bytes) -> None:
    assert not is_header(line)


def test_a_header_counts_as_a_line_and_only_on_line_one() -> None:
    header = b"city_id,temperature,timestamp\n"
    parsed = parse_block(Block(first_line=1, data=header + GOOD + b"\n" + header))
    assert parsed.rejects == [Reject(3, Reason.CITY, "city_id,temperature,timestamp")]
    assert parsed.times.tolist() == [NOON]
    later = parse_block(Block(first_line=2, data=header))
    assert [reject.line for reject in later.rejects] == [2]


def test_a_block_becomes_columns_and_numbered_rejects() -> None:
    data = b"7,21.50,2025-06-01T12:00Z\r\n\r\nbad\r\n8,-1.005,2025-06-01T12:00:01\nworse\r"
    parsed = parse_block(Block(first_line=5, data=data))
    assert parsed.cities.tolist() == [7, 8]
    assert parsed.hundredths.tolist() == [2150, -101]
    assert parsed.times.tolist() == [NOON, NOON + 1_000_000]
    assert parsed.rejects == [
        Reject(7, Reason.FIELDS, "bad"),
        Reject(9, Reason.CARRIAGE_RETURN, "worse\r"),
    ]
    assert (parsed.cities.dtype, parsed.times.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"x" * 1000, "x" * 1000),
        (b"x" * 1001, "x" * 1000),
        ("🌲".encode() * 2000, "🌲" * 1000),
        (b"a\xffb\0c", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"),
        (b"\xff" * 5000, "\N{REPLACEMENT CHARACTER}" * 1000),
    ],
)
def test_a_reject_shows_its_first_thousand_characters(line: bytes, text: str) -> None:
    assert excerpt(line) == text


def test_a_reading_among_the_first_twenty_lines_makes_a_temperature_file() -> None:
    assert looks_like_readings([b"city_id,temperature,timestamp\r\n", GOOD + b"\r\n"])
    assert looks_like_readings([b"\xef\xbb\xbf" + GOOD])
    assert looks_like_readings([b"words"] * 19 + [GOOD])
    assert not looks_like_readings([b"words"] * 20 + [GOOD])
    assert not looks_like_readings([b"1,2,3", b"a,b,c", b""])
    assert not looks_like_readings([])
