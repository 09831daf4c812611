"""Headers of the plain layout, and what makes a file one of readings."""

from __future__ import annotations

import pytest

from tests.temperatures.lines.test_parsing import GOOD, NOON
from timba.temperatures.lines.block_parsing import parse_block
from timba.temperatures.lines.blocks import MAX_LINE, Block
from timba.temperatures.lines.parsing import Reason, Reject, is_header, looks_like_readings


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


def test_a_reading_among_the_first_twenty_lines_makes_a_temperature_file() -> None:
    assert looks_like_readings([b"city_id,temperature,timestamp\r\n", GOOD + b"\r\n"])
    assert looks_like_readings([b"\xef\xbb\xbf" + GOOD])
    assert looks_like_readings([b"words"] * 19 + [GOOD])
    assert not looks_like_readings([b"words"] * 20 + [GOOD])
    assert not looks_like_readings([b"1,2,3", b"a,b,c", b""])
    assert not looks_like_readings([])
