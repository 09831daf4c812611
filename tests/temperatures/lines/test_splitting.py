"""How a line is split into fields, with quotation marks and without."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines.reasons import LineError, Reason
from timba.temperatures.lines.splitting import line_splitter

QUOTES = Layout(quotes=True)
TABS = Layout(quotes=True, delimiter="\t")
FIVE = Layout(delimiter=";", width=5, skipped_lines=1)


def split(line: str, layout: Layout) -> list[str] | str:
    """Return the fields, or the reason why there are none."""
    try:
        return line_splitter(layout)(line)
    except LineError as error:
        return error.reason


@pytest.mark.parametrize(
    ("layout", "line", "fields"),
    [
        (PLAIN, " 7\t,21.5 , 2025", ["7", "21.5", "2025"]),
        (PLAIN, '"7",21.5,2025', ['"7"', "21.5", "2025"]),
        (QUOTES, "7,21.5,2025", ["7", "21.5", "2025"]),
        (QUOTES, '"7","21.5","2025"', ["7", "21.5", "2025"]),
        (QUOTES, ' "7" , " 21.5" ,\t2025 ', ["7", "21.5", "2025"]),
        (QUOTES, '7,"21,5",2025', ["7", "21,5", "2025"]),
        (QUOTES, '7,21.5,="2025-06-01 12:00"', ["7", "21.5", "2025-06-01 12:00"]),
        (QUOTES, '7,21.5,"=""2025-06-01 12:00"""', ["7", "21.5", "2025-06-01 12:00"]),
        (QUOTES, '7,="21,5" ,2025', ["7", "21,5", "2025"]),
        (QUOTES, '7,"a ""b"", c",2025', ["7", 'a "b", c', "2025"]),
        (QUOTES, '7,12" ruler,2025', ["7", '12" ruler', "2025"]),
        (QUOTES, '" =""21.5"" ",="","="""', ["21.5", "", '="']),
        (QUOTES, '"","",""', ["", "", ""]),
        (TABS, '"7"\t\t "2025"', ["7", "", "2025"]),
        (QUOTES, '"7","21.5","2025"," ",', ["7", "21.5", "2025", "", ""]),
        (FIVE, "1;2;3;4;5; ;", ["1", "2", "3", "4", "5", "", ""]),
    ],
)
def test_a_line_is_split(layout: Layout, line: str, fields: list[str]) -> None:
    assert split(line, layout) == fields


@pytest.mark.parametrize(
    ("layout", "line", "reason"),
    [
        (QUOTES, '"7,21.5,2025', Reason.QUOTES),
        (QUOTES, '7,21.5,"2025', Reason.QUOTES),
        (QUOTES, '7,21.5,"', Reason.QUOTES),
        (QUOTES, ' "7,21.5,2025', Reason.QUOTES),
        (QUOTES, '7,21.5,="2025', Reason.QUOTES),
        (QUOTES, '7,"21"5,2025', Reason.QUOTES),
        (QUOTES, '7,"21" "5",2025', Reason.QUOTES),
        (QUOTES, '7,"21.5""",2025,"""', Reason.QUOTES),
        (QUOTES, '"7,21.5,2025"', "The line does not have 3 fields."),
        (QUOTES, "7,21.5,2025,x", "The line does not have 3 fields."),
        (FIVE, "1;2;3;4", "The line does not have 5 fields like the header."),
        (FIVE, "1;2;3;4;5;;6", "The line does not have 5 fields like the header."),
        (PLAIN, "7,21.5,2025,", Reason.FIELDS),
        (Layout(delimiter=";"), "7;21.5;2025;", "The line does not have 3 fields."),
    ],
)
def test_a_line_that_cannot_be_split_has_one_reason(layout: Layout, line: str, reason: str) -> None:
    assert split(line, layout) == reason


@given(st.lists(st.text('a"=,; ', max_size=6), min_size=3, max_size=3))
def test_what_is_written_as_csv_is_read_again(fields: list[str]) -> None:
    line = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert next(csv.reader([line], strict=True)) == fields
    stripped = [field.strip(" ") for field in fields]
    assert split(line, QUOTES) == [
        field[2:-1].strip(" ")
        if field.startswith('="') and field.endswith('"') and len(field) > 2
        else field
        for field in stripped
    ]
