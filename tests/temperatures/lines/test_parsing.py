"""Good lines, bad lines and the exact boundary between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.temperatures.lines.plain_reference import parse_reference
from timba.temperatures.layout.layouts import PLAIN
from timba.temperatures.lines.block_parsing import parse_block
from timba.temperatures.lines.blocks import MAX_LINE, Block
from timba.temperatures.lines.parsing import (
    Reading,
    Reason,
    Reject,
    RejectedLine,
    excerpt,
    parse_line,
)

NOON = 1_748_779_200_000_000  # 2025-06-01T12:00:00Z: 20,240 days and a half of 86,400 s, in µs
GOOD = b"7,21.50,2025-06-01T12:00:00Z"

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
    # A clock of twelve hours, an hour of one digit, slashes, and zones behind a blank.
    (b"1,1,2025-06-01 12:00 PM", (1, 100, NOON)),
    (b"1,1,2025-06-01 12:00:00 p.m.", (1, 100, NOON)),
    (b"1,1,2025-06-02 12:00 AM", (1, 100, NOON + 43_200_000_000)),
    (b"1,1,2025-06-01T1:00pm+01:00", (1, 100, NOON)),
    (b"1,1,2025-06-01 8:30:00 a.m. -0330", (1, 100, NOON)),
    (b"1,1,2025/06/01 9:00:00.000001 -03", (1, 100, NOON + 1)),
    (b"1,1,2025/06/01T12:00 UTC", (1, 100, NOON)),
    (b"1,1,2025-06-01 14:00 +02:00", (1, 100, NOON)),
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
        b'"7,21.50,2025-06-01T12:00:00Z"',
        b'"7",21.50,2025-06-01T12:00:00Z',
        "\N{NO-BREAK SPACE}7,21.50,2025-06-01T12:00:00Z".encode(),
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
        b"7,21.50,2025/06-01T12:00:00Z",
        b"7,21.50,2025.06.01T12:00:00Z",
        b"7,21.50,2025/6/1 12:00",
        b"7,21.50,25-06-01 12:00",
        b"7,21.50,01/06/2025 12:00",
        b"7,21.50,2025-06-01T 12:00:00Z",
        b"7,21.50,2025-06-01 012:00",
        b"7,21.50,2025-06-01 12 PM",
        b"7,21.50,2025-06-01 12:00  PM",
        b"7,21.50,2025-06-01 12:00 P",
        b"7,21.50,2025-06-01 12:00 P.M",
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
        b"7,21.50,2025-06-01T12:00:00Z[Europe/Riga]",
        b"7,21.50,2025-06-01 12:00 EET",
        b"7,21.50,2025-06-01 12:00 utc",
        b"7,21.50,2025-06-01 12:00UTC",
        b"7,21.50,2025-06-01 12:00 GMT",
        b"7,21.50,2025-06-01 12:00 UTC+02:00",
        b"7,21.50,2025-06-01 12:00  +0200",
        b"7,21.50,2025-06-01 12:00 +2",
        "7,21.50,2025-06-01 12:00\N{NO-BREAK SPACE}UTC".encode(),
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
        b"7,21.50,2025-06-01 13:00 PM",
        b"7,21.50,2025-06-01 00:30 AM",
        b"7,21.50,2025-06-01 0:30 PM",
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


def test_a_block_becomes_columns_and_numbered_rejects() -> None:
    data = b"7,21.50,2025-06-01T12:00Z\r\n\r\nbad\r\n8,-1.005,2025-06-01T12:00:01\nworse\r"
    parsed = parse_block(Block(first_line=5, data=data), PLAIN)
    cities, hundredths, times = parsed.readings
    assert cities.tolist() == [7, 8]
    assert hundredths.tolist() == [2150, -101]
    assert times.tolist() == [NOON, NOON + 1_000_000]
    assert parsed.rejects == [
        Reject(7, Reason.FIELDS, "bad"),
        Reject(9, Reason.CARRIAGE_RETURN, "worse\r"),
    ]
    assert (cities.dtype, times.dtype) == (np.int32, np.int64)


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
