"""Rejects are stored in order and up to a limit; no text runs as a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from timba.files.rejects import RejectsWriter, csv_lines, escape_formula
from timba.temperatures.lines.parsing import Reason, Reject

REJECTS = [Reject(number, Reason.CITY, f"bad {number}") for number in range(1, 10)]
LINE = len(f"1,{Reason.CITY},bad 1\r\n")
HEADER = len("line,reason,text\r\n")
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
]


@pytest.mark.parametrize("block", [1, 4, 9])
@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({}, 9),
        ({"max_rejects": 9}, 9),
        ({"max_rejects": 8}, 8),
        ({"max_rejects": 0}, 0),
        ({"max_bytes": HEADER + 9 * LINE}, 9),
        ({"max_bytes": HEADER + 9 * LINE - 1}, 8),
        ({"max_bytes": HEADER + 5 * LINE + 1}, 5),
    ],
)
def test_rejects_are_written_up_to_the_limit(
    limits: dict[str, int], count: int, block: int
) -> None:
    sink = io.BytesIO()
    writer = RejectsWriter(sink, **limits)  # type: ignore[arg-type]
    for start in range(0, 9, block):
        writer.add(REJECTS[start : start + block])
    lines = [f"{number},{Reason.CITY},bad {number}" for number in range(1, count + 1)]
    assert sink.getvalue().decode().splitlines() == ["line,reason,text", *lines]
    assert writer.count == count


def test_after_one_that_exceeds_a_limit_none_is_written() -> None:
    """Otherwise a short one would follow a gap that nobody could see."""
    sink = io.BytesIO()
    writer = RejectsWriter(sink, max_bytes=HEADER + LINE)  # type: ignore[arg-type]
    writer.add([Reject(1, Reason.CITY, "x" * 100)])
    writer.add(REJECTS[:1])
    assert writer.count == 0


@pytest.mark.parametrize(
    "text", [*FORMULAS, "'=1", " =1", '"=1"', "\ufeff=1", "\u00a0\u200b'\" =1"]
)
def test_a_text_that_begins_as_a_formula_gets_an_apostrophe(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("41;=1+1;x", "41;'=1+1;x"),
        ('41; "=1+1"', '41;\' "=1+1"'),
        ("41\t@SUM(1)", "41\t'@SUM(1)"),
        ("41\r＝1\n+A1", "41\r'＝1\n'+A1"),
        ("41;-1+cmd|' /C calc'!A0", "41;'-1+cmd|' /C calc'!A0"),
        ("=1;=1", "'=1;'=1"),
        (";=1", ";'=1"),
    ],
)
def test_a_text_that_some_programs_split_into_formulas_gets_one_too(
    text: str, escaped: str
) -> None:
    assert escape_formula(text) == escaped


@pytest.mark.parametrize(
    "text",
    ["TB-1", "1-2", "a=b", "'", "'t Woud", "41,=x", "41;-3,5;+2.50", "a;b", "a\tb", "ünï 🌲", ""],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


def test_lines_are_csv_whose_numbers_are_numbers() -> None:
    rows = [(1, "a, “b”", Decimal("-4.230")), (2, '=HYPERLINK("http://x")', -5)]
    lines = csv_lines(rows).decode()
    assert lines == '1,"a, “b”",-4.230\r\n2,"\'=HYPERLINK(""http://x"")",-5\r\n'
    assert list(csv.reader(io.StringIO(lines, newline="")))[1][1] == '\'=HYPERLINK("http://x")'


@pytest.mark.parametrize("text", ["a,b", 'a"b', '"', '""', "a\nb", "a\rb", ", ", " a ", "a;b", ""])
def test_each_text_is_quoted_as_the_csv_module_does(text: str) -> None:
    expected = io.StringIO(newline="")
    csv.writer(expected).writerow([1, text, text])
    assert csv_lines([(1, text, text)]).decode() == expected.getvalue()
