"""Headers of the plain layout."""

from __future__ import annotations

import pytest

from timba.temperatures.layout.layouts import PLAIN
from timba.temperatures.layout.plain_headers import is_plain_header, plain_layout


@pytest.mark.parametrize(
    "line",
    [
        "city_id,temperature,timestamp",
        "CITY_ID , Temperature,\tTimestamp ",
        '"city_id","temperature","timestamp"',
        "Stadt,Temperatur (°C),Zeit [UTC]",
        "id,t,at",
    ],
)
def test_three_names_are_a_header(line: str) -> None:
    assert is_plain_header(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "city_id,temperature",
        "city_id,temperature,timestamp,",
        "city_id;temperature;timestamp",
        "city_id,21.50,timestamp",
        "x,21.50,2025-06-01T12:00:00Z",
        "7,x,y",
        "nan,nan,nan",
        "a,b,null",
        "a,,c",
        "a,b,\ufffd",
        "a,b,c\0",
        "a," + "b" * 200 + ",c",
    ],
)
def test_a_bad_line_is_no_header(line: str) -> None:
    assert not is_plain_header(line)


def test_a_file_in_which_nothing_looks_like_readings_may_have_a_header() -> None:
    assert plain_layout(b"\xef\xbb\xbfcity_id,temperature,timestamp\r\nx").skipped_lines == 1
    assert plain_layout(b"7,x,y\ncity_id,temperature,timestamp\n") == PLAIN
    assert plain_layout(b"") == PLAIN
