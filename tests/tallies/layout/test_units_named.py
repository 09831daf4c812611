"""Units count wherever a sheet names them; two that differ are a question, and none is dropped."""

from __future__ import annotations

from typing import Any

import openpyxl
import pytest

from tests.tallies.sheets import save, workbook
from tests.tallies.test_generated_sheets import BytesSource
from timba.tallies.reading import read_tally

NAMES = ["Barcode", "Length", "Width", "Height"]
LOGS = [["A1", 14, 12, 10], ["A2", 13, 12, 10]]
TITLE = ["Length in feet, width and height in inches"]


def units(*rows: list[Any]) -> dict[str, str]:
    findings = read_tally(BytesSource(workbook(*rows))).findings
    assert findings["questions"] == []
    tables = findings["read_as"].get("tables") or [findings["read_as"]]
    [found] = {tuple(each["units"].items()) for each in tables}
    return dict(found)


def asked(*rows: list[Any]) -> list[str]:
    findings = read_tally(BytesSource(workbook(*rows))).findings
    return [question["sentence"] for question in findings["questions"]]


@pytest.mark.parametrize(
    "rows",
    [
        [["Barcode", "Length (ft)", "Width (in)", "Height (in)"], *LOGS],
        [NAMES, [None, "ft", "in", "in"], *LOGS],
        [NAMES, ["Unit", "feet", "inches", "″"], *LOGS],
        [TITLE, NAMES, *LOGS],
        [NAMES, *LOGS, TITLE],
        [NAMES, [None, "ft", "in", "in"], *LOGS, NAMES, ["A3", 12, 12, 10]],
        [["Barcode", "Length (ft-in)", "Width (in)", "Height (in)"], ["A1", "8'6\"", 12, 10]],
    ],
)
def test_units_are_named_in_several_places(rows: list[list[Any]]) -> None:
    assert units(*rows) == {"length": "ft", "breadth": "in", "height": "in"}


@pytest.mark.parametrize(
    ("feet", "inches"),
    [
        ('0" ft"', '0" in"'),
        ("0\\'", '0\\"'),
        ("0'", "0″"),
        ("[$ft] 0", "0 [$in]"),
        ("0_)' ", "0″_)"),
    ],
)
def test_number_formats_name_units(feet: str, inches: str) -> None:
    book = openpyxl.Workbook()
    for row in [NAMES, *LOGS]:
        book.worksheets[0].append(row)
    for row in book.worksheets[0].iter_rows(min_row=2):
        for cell, number_format in zip(row, ["@", feet, inches, inches], strict=True):
            cell.number_format = number_format
    findings = read_tally(BytesSource(save(book))).findings
    assert findings["questions"] == []
    assert findings["read_as"]["units"] == {"length": "ft", "breadth": "in", "height": "in"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [["All dimensions in yards"], NAMES, *LOGS],
            "The unit “yards” of the length, from row 1, is not known. In which unit is it?",
        ),
        (
            [["Sizes in feet and inches"], NAMES, *LOGS],
            "The unit “ft/in” of the length, from row 1, is not known. In which unit is it?",
        ),
        (
            [NAMES, LOGS[0], ["All sizes in inches"], LOGS[1]],
            "The unit “?/in” of the length, from row 3, is not known. In which unit is it?",
        ),
        (
            [["Barcode", "Length (ft-in)", "Width (in)", "Height (in)"], ["A1", "8-6", 12, 10]],
            "The unit “ft-in” of the length, from row 1, is not known. In which unit is it?",
        ),
        (
            [NAMES, ["A1", "14 ft", 12, 10], LOGS[0], LOGS[1]],
            (
                "Some cells of the length name a unit, such as ft, others none. In which unit are "
                "the others?"
            ),
        ),
        (
            [[*NAMES, "UoM"], *[[*log, "ft/in"] for log in LOGS]],
            "The column E (“UoM”) gives units, such as “ft/in”. In which unit is the length?",
        ),
        (
            [[*NAMES, "Volume (ft³)"], *[[*log, 2.67] for log in LOGS]],
            (
                "The column E (“Volume (ft³)”) gives volumes that are not in m³. In which unit is "
                "the length?"
            ),
        ),
    ],
)
def test_units_in_doubt_are_asked_for(rows: list[list[Any]], sentence: str) -> None:
    assert asked(*rows)[0] == sentence
