"""No cell of a CSV runs as a formula, and what is harmless stays readable."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from timba.files.safe_csv import csv_lines, escape_formula

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
def test_so_does_one_that_some_programs_cut_into_formulas(text: str, escaped: str) -> None:
    assert escape_formula(text) == escaped


@pytest.mark.parametrize(
    "text",
    ["TB-1", "1-2", "a=b", "'", "'t Woud", "41,=x", "41;-3,5;+2.50", "a;b", "a\tb", "ünï 🌲", ""],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


def test_lines_are_csv_whose_numbers_are_numbers() -> None:
    rows = [(1, "a, “b”", Decimal("-4.230")), (2, '=HYPERLINK("http://x")', -5)]
    lines = csv_lines(rows).decode()
    assert lines == '1,"a, “b”",-4.230\r\n2,"\'=HYPERLINK(""http://x"")",-5\r\n'
    assert list(csv.reader(io.StringIO(lines, newline="")))[1][1] == '\'=HYPERLINK("http://x")'
