"""Whole lines in other layouts than the plain one."""

from __future__ import annotations

import pytest

from timba.temperatures.layout.layouts import Columns, DateOrder, Layout, Unit
from timba.temperatures.lines.parsing import Reading, Reason, RejectedLine, line_parser, parse_line

AT = 1_659_454_200_000_000  # 2022-08-02T15:30:00Z: 19,206 days of 86,400 s and 15:30, in µs

GERMAN = Layout(delimiter=";", decimal=",", dates=DateOrder.DAY_FIRST, skipped_lines=1)
QUOTED = Layout(quotes=True)
EXCEL = Layout(dates=DateOrder.MONTH_FIRST, skipped_lines=1)
SWAPPED = Layout(columns=Columns(city=1, temperature=0), skipped_lines=1)
LOGGER = Layout(
    encoding="cp1252",
    delimiter="\t",
    decimal=",",
    columns=Columns(city=None, temperature=3, timestamp=0, time=1),
    width=5,
    unit=Unit.FAHRENHEIT,
    dates=DateOrder.DAY_FIRST,
    zone_offset=120,
    skipped_lines=12,
    city_id=41,
)


@pytest.mark.parametrize(
    ("layout", "line", "reading"),
    [
        (GERMAN, "41;28,9;02/08/2022 15:30", (41, 2890, AT)),
        (GERMAN, "41;28,9;2.8.22 3:30 PM UTC", (41, 2890, AT)),
        (GERMAN, "41;\N{MINUS SIGN}28,9;2022-08-02T17:30+02:00", (41, -2890, AT)),
        (QUOTED, '"41","28.90","2022-08-02 15:30"', (41, 2890, AT)),
        (QUOTED, '41,28.9,"=""2022-08-02 15:30:00"""', (41, 2890, AT)),
        (QUOTED, '41,28.9,="2022-08-02 15:30:00"', (41, 2890, AT)),
        (QUOTED, "41,28.9,2022-08-02 15:30:00", (41, 2890, AT)),
        (Layout(quotes=True, decimal=","), '41,"28,9",2022-08-02 15:30', (41, 2890, AT)),
        (EXCEL, "41,28.9,8/2/2022 15:30", (41, 2890, AT)),
        (EXCEL, "41,28.9,8/2/2022 3:30:00 PM", (41, 2890, AT)),
        (SWAPPED, "28.9,41,2022-08-02 15:30", (41, 2890, AT)),
        (Layout(delimiter="|"), "41 | 28.9 | 2022-08-02 15:30", (41, 2890, AT)),
        (LOGGER, "2.8.2022\t17:30:00\tok\t84,02\tlow", (41, 2890, AT)),
        (LOGGER, "2.8.2022\t15:30:00 UTC\t\t84,02\t", (41, 2890, AT)),
        (LOGGER, "2.8.2022\t15:30:00Z\t\N{DEGREE SIGN}\t84,02\t\t", (41, 2890, AT)),
        # What stands between a number and PM in spreadsheets, and around fields in tables.
        (EXCEL, "41,28.9,8/2/2022 3:30:00\N{NARROW NO-BREAK SPACE}PM", (41, 2890, AT)),
        (EXCEL, "\N{NO-BREAK SPACE}41,28.9\N{NO-BREAK SPACE},8/2/2022 15:30", (41, 2890, AT)),
    ],
)
def test_a_line_is_read_by_its_layout(
    layout: Layout, line: str, reading: tuple[int, int, int]
) -> None:
    assert parse_line(line.encode(), layout) == Reading(*reading)


@pytest.mark.parametrize(
    ("layout", "line", "reason"),
    [
        (GERMAN, b"41;28.9;02/08/2022 15:30", Reason.TEMPERATURE.replace("3.25", "3,25")),
        (GERMAN, b"41;28,9;02/08/2022", "The timestamp is not written like 31.01.2025 14:05:00."),
        (GERMAN, b"41,28.9,2022-08-02 15:30", "The line does not have 3 fields like the header."),
        (GERMAN, b"x;28,9;02/08/2022 15:30", Reason.CITY),
        (GERMAN, b"0;28,9;02/08/2022 15:30", Reason.CITY_RANGE),
        (GERMAN, b"41;2800,9;02/08/2022 15:30", Reason.TEMPERATURE_RANGE),
        (GERMAN, b"41;28,9;31/02/2022 15:30", Reason.DATE),
        (GERMAN, b"41;28,9;02/08/2022 15:30\xff", Reason.NOT_UTF8),
        (QUOTED, b'"41,28.9,2022-08-02 15:30', Reason.QUOTES),
        (SWAPPED, b"41,28.9,2022-08-02 15:30", Reason.CITY),
        (
            LOGGER,
            b"2.8.2022 17:30\tUTC\tok\t84,02\t",
            "The date and the time are not written like 31.01.2025 and 14:05:00.",
        ),
        (LOGGER, b"2.8.2022\t17:30\tok\t84,02", "The line does not have 5 fields like the header."),
        (LOGGER, b"2.8.2022\t17:30\tL\xfc\t84,02\t", "The line is not text in Windows-1252."),
        # A column that is not read may hold any text, but no bytes that are none.
        (LOGGER, b"2.8.2022\t17:30\to\0k\t84,02\t", Reason.NUL),
        (LOGGER, b"2.8.2022\t17:30\to\rk\t84,02\t", Reason.CARRIAGE_RETURN),
    ],
)
def test_a_bad_line_has_a_reason_in_the_words_of_its_layout(
    layout: Layout, line: bytes, reason: str
) -> None:
    assert parse_line(line, layout) == RejectedLine(reason)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp1250", "Windows-1250"), ("utf-16-le", "UTF-16"), ("koi8-r", "KOI8-R")],
)
def test_a_line_that_is_no_text_names_the_encoding_of_the_file(encoding: str, name: str) -> None:
    rejected = parse_line(b"41,28.9\xff,2022-08-02 15:30", Layout(encoding=encoding))
    assert rejected == RejectedLine(f"The line is not text in {name}.")


def test_a_line_of_no_break_spaces_is_blank_but_not_in_the_plain_layout() -> None:
    line = " \N{NO-BREAK SPACE}\t".encode()
    assert parse_line(line, EXCEL) is None
    assert parse_line(line) == RejectedLine(Reason.FIELDS)


@pytest.mark.parametrize(
    "layout",
    [
        Layout(skipped_lines=1),
        Layout(skipped_lines=30, ends_with_cr=True),
        Layout(encoding="utf-16-le"),
    ],
)
def test_a_plain_line_is_strict_whatever_the_file_around_it(layout: Layout) -> None:
    assert parse_line(b"41,28.9,2022-08-02 15:30", layout) == Reading(41, 2890, AT)
    for line in (b"41,28.9,2022-8-2 15:30", b"41,28.9,2022-08-02 15:30 GMT"):
        assert parse_line(line, layout) == RejectedLine(Reason.TIMESTAMP)
    assert parse_line(b"41,28.9,2022-08-02 15:30,", layout) == RejectedLine(Reason.FIELDS)


def test_lines_without_a_city_need_the_layouts() -> None:
    with pytest.raises(
        ValueError, match=r"^A layout without a column of cities needs a city_id\.$"
    ):
        line_parser(Layout(columns=Columns(city=None, temperature=0, timestamp=1), width=2))
