"""A measure in two columns, such as feet and inches, is never read from the first of them alone."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from tests.tallies.reads import read
from tests.tallies.sheets import save, workbook

LOGS = [("A1", 12, 6, 20, 10), ("A2", 14, 3, 20, 10)]


NAMES = ("Length (m)", "Breadth (cm)", "Height (cm)")


def header(first: str, second: str | None) -> tuple[str | None, ...]:
    return ("Barcode", first, second, "Breadth (in)", "Height (in)")


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([header("Length ft", "Length in")], "B (“Length ft”) and C (“Length in”)"),
        ([header("Length ft", "in")], "B (“Length ft”) and C (“in”)"),
        ([header("Length (ft)", None)], "B (“Length (ft)”) and C"),
        ([header("Length", None), (None, "ft", "in", "in", "in")], "B (“Length”) and C"),
        ([header("Length (in)", "Fraction")], "B (“Length (in)”) and C (“Fraction”)"),
    ],
)
def test_two_columns_of_one_measure_are_asked_about(rows: list[Any], names: str) -> None:
    result = read(workbook(*rows, *LOGS))
    [sentence] = result.sentences
    assert sentence == (
        f"The columns {names} may be two parts of one length. Write both into one column, such "
        "as 8' 6\", then upload the sheet again."
    )


def test_a_name_that_is_merged_over_two_columns_may_be_of_both() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(header("Length (m)", None), *LOGS)))
    book.worksheets[0].merge_cells("B1:C1")
    assert list(read(save(book)).questions) == ["columns.length"]


def test_a_column_of_units_needs_no_name() -> None:
    result = read(workbook(("Barcode", "Length", None, "Breadth", "Height"), ("A1", 9, "ft", 8, 4)))
    assert result.questions["units.length"] == ["mm", "cm", "m", "in", "ft"]
    assert result.sentences[0] == (
        "The column C gives units, such as “ft”. In which unit is the length?"
    )


def test_a_column_without_a_name_beside_the_last_one_is_no_part() -> None:
    rows = [("Barcode", "Length (ft)", "Breadth (in)", "Height (in)"), ("A1", 12, 20, 10, 0.5)]
    assert read(workbook(*rows)).logs == [("A1", "3.658", "50.800", "25.400")]


def test_a_barcode_may_have_two_parts_under_one_name() -> None:
    rows = [("Barcode", None, *NAMES), ("AB", 101, 4, 20, 10)]
    book = openpyxl.load_workbook(io.BytesIO(workbook(*rows)))
    book.worksheets[0].merge_cells("A1:B1")
    [sentence] = read(save(book)).sentences
    assert sentence == (
        "The columns A (“Barcode”) and B may be two parts of one barcode. Write both into one "
        "column, then upload the sheet again."
    )


def test_the_same_measure_in_two_units_is_read_from_the_first() -> None:
    units = (None, "m", "ft", "cm", "cm")
    names = ("Barcode", "Length", None, "Breadth", "Height")
    rows = [names, units, ("A1", 4, 13.1, 20, 10)]
    book = openpyxl.load_workbook(io.BytesIO(workbook(*rows)))
    book.worksheets[0].merge_cells("B1:C1")
    assert read(save(book)).logs == [("A1", "4.000", "20.000", "10.000")]
