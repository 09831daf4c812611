"""Units and decimals are decided from the whole sheet, and told with the evidence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import book, read
from tests.tallies.sheets import HEADER, save, workbook

NAMES = ("Barcode", "Length", "Breadth", "Height")
LOG = ("B-1", "4.200", "30.000", "25.000")
MM = ("B-1", 4200, 300, 250)
USUAL = ("B-1", 4.2, 30, 25)
INCHES = ("B-1", 100, 10, 5)


@pytest.mark.parametrize(
    ("rows", "evidence"),
    [
        ([("Barcode", "Length (mm)", "Breadth mm", "Height, mm"), MM], "from row 1"),
        ([NAMES, (None, "(mm)", "(mm)", "(mm)"), MM], "from row 2"),
        ([NAMES, ("no.", "[mm]", "[mm]", "[mm]"), MM], "from row 2"),
        ([(None, "mm", "mm", "mm"), NAMES, MM], "from row 1"),
        ([["All dimensions in mm"], [], NAMES, MM], "from row 1"),
        ([["Packing list"], [None, "Maße in mm"], NAMES, MM], "from row 2"),
        ([["Dimensions", "in mm"], NAMES, MM], "from row 1"),
        ([NAMES, ["All dimensions in mm"], MM], "from row 2"),
        ([NAMES, ("B-1", "4200 mm", "300mm", "250 mm.")], "from its cells"),
    ],
)
def test_units_are_named_in_the_header_beneath_it_above_it_or_in_the_cells(
    rows: list[Any], evidence: str
) -> None:
    result = read(workbook(*rows))
    assert result.logs == [LOG]
    assert result.units == {"length": "mm", "breadth": "mm", "height": "mm"}
    assert result.evidence["units.length"] == f"Length in millimetres, {evidence}."


def test_a_row_of_units_in_feet_and_inches_is_read() -> None:
    result = read(workbook(NAMES, (None, "(ft)", "(in)", "(in)"), ("B-1", 12, 10, 8)))
    assert result.logs == [("B-1", "3.658", "25.400", "20.320")]
    assert result.evidence["units.length"] == "Length in feet, from row 2."
    assert result.evidence["units.breadth"] == "Breadth in inches, from row 2."


def test_a_header_is_nearer_than_a_title() -> None:
    assert read(workbook(["All dimensions in mm"], HEADER, USUAL)).logs == [LOG]


@pytest.mark.parametrize("number_format", ['0.00" m"', "0.0\\m", '0.000" mtr"'])
def test_number_formats_name_units(number_format: str) -> None:
    workbook = book(Tally=[NAMES, USUAL])
    sheet = workbook["Tally"]
    sheet["B2"].number_format = number_format
    sheet["C2"].number_format = sheet["D2"].number_format = '0" cm"'
    assert read(save(workbook)).logs == [LOG]


def test_a_cell_that_names_its_unit_is_read_in_it() -> None:
    rows = [("B-1", "420 cm", 30, 25), ("B-2", 4.2, "305 mm", 25), ("B-3", 4.2, 30, '10"')]
    assert [log[1:] for log in read(workbook(HEADER, *rows)).logs] == [
        ("4.200", "30.000", "25.000"),
        ("4.200", "30.500", "25.000"),
        ("4.200", "30.000", "25.400"),
    ]


def test_without_units_metres_and_centimetres_are_assumed_if_most_rows_are_plausible() -> None:
    rows = [("B-1", 4.2, 30, 25), ("B-2", 4.2, 30, 25), ("B-3", 420, 30, 25)]
    result = read(workbook(NAMES, *rows))
    assert [log[0] for log in result.logs] == ["B-1", "B-2"]
    assert result.rejects == {
        4: {"length": "The length is understood as 420 m; a log has 0.1 to 40 m."}
    }
    assert result.evidence["units.length"] == (
        "Length in metres, as no unit is named and 2 of 3 rows are plausible so."
    )


@pytest.mark.parametrize(
    ("cells", "measures"),
    [
        (("8'6\"", "12 1/2", "10-3/4"), ("2.591", "31.750", "27.305")),
        (("8′ 6″", "12½", '10"'), ("2.591", "31.750", "25.400")),
        (("8 ft 6 in", "12.5", "10 3/4"), ("2.591", "31.750", "27.305")),
        ((8.5, 12.5, 10.75), ("2.591", "31.750", "27.305")),
    ],
)
def test_feet_inches_and_fractions_are_read(cells: Any, measures: tuple[str, ...]) -> None:
    header = ("Barcode", "Length (ft)", "Breadth (in)", "Height (in)")
    assert read(workbook(header, ("B-1", *cells))).logs == [("B-1", *measures)]


# --- Decimals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "cells", "length", "decimal"),
    [
        ("Length (m);Breadth (cm);Height (cm)", ("4,2;30;25", "4,200;30;25"), "4.200", ","),
        ("Length (m);Breadth (cm);Height (cm)", ("4.2;30;25", "4.200;30;25"), "4.200", "."),
        (
            "Length (mm);Breadth (mm);Height (mm)",
            ("4,200;305;250", "4,300;1,050;250"),
            "4.200",
            ".",
        ),
        (
            "Length (mm);Breadth (mm);Height (mm)",
            ("4.200;305,5;250", "4.300;305;250"),
            "4.200",
            ",",
        ),
        ("Length (m);Breadth (cm);Height (cm)", ("4,200;30;25", "4,300;30;25"), "4.200", ","),
        ("Length (cm);Breadth (mm);Height (mm)", ("420;305;250", "430;305;250"), "4.200", None),
    ],
)
def test_the_decimal_mark_is_decided_by_all_numbers(
    header: str, cells: tuple[str, str], length: str, decimal: str | None
) -> None:
    first, second = cells
    result = read(f"Barcode;{header}\nB-1;{first}\nB-2;{second}\n")
    assert result.logs[0][1] == length
    assert result.findings["read_as"]["decimal"] == decimal


def test_units_are_converted_exactly_and_rounded_once() -> None:
    header = ["Barcode", "Length (ft)", "Breadth (in)", "Height (m)"]
    [log] = read(workbook(header, ["B-1", 13.78, 12.0005, 0.30005])).logs
    # 13.78 × 0.3048 = 4.200144; 12.0005 × 2.54 = 30.48127; 0.30005 × 100 = 30.005.
    assert log[1:] == ("4.200", "30.481", "30.005")


@pytest.mark.parametrize(
    ("number", "length"),
    [(1.0005, "1.001"), (1.00049, "1.000"), (0.1 + 0.2, "0.300"), (7, "7.000")],
)
def test_measures_are_rounded_half_up(number: float, length: str) -> None:
    assert read(workbook(HEADER, ("B-1", number, 30, 25))).logs[0][1] == length
