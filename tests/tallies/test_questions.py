"""What a sheet leaves open is asked: the sentence names the doubt, the choices the answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import books, read
from tests.tallies.sheets import HEADER, workbook

NAMES = ("Barcode", "Length", "Breadth", "Height")
USUAL = ("B-1", 4.2, 30, 25)
MM = ("B-1", 4200, 305, 250)
COUNTED = ("No.", *HEADER[1:])
ALL_MM = {"length": "mm", "breadth": "mm", "height": "mm"}
UNITS = ["mm", "cm", "m", "in", "ft"]


def question(content: bytes | str) -> tuple[str, list[Any], str]:
    """Return the field, the choices and the sentence of the only question."""
    result = read(content)
    assert result.rows is None
    [(field, choices)] = result.questions.items()
    return field, choices, result.sentences[0]


# --- Columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "barcodes", "name"),
    [
        ("No.", (1, 2, 3), "A (“No.”)"),
        ("#", (1, 2, 3), "A (“#”)"),
        ("Nr. p.k.", ("1.", "2.", "3."), "A (“Nr. p.k.”)"),
        ("Log no.", (1, 2, 3), "A (“Log no.”)"),
        ("No.", (48213, 48190, 48217), "A (“No.”)"),
    ],
)
def test_a_column_that_may_only_count_is_asked_about(
    header: str, barcodes: tuple[Any, ...], name: str
) -> None:
    rows = [(barcode, 4.2, 30, 25) for barcode in barcodes]
    assert question(workbook((header, *HEADER[1:]), *rows)) == (
        "columns.barcode",
        [1, None],
        (
            f"The column {name} may only count the rows. Does it hold the barcodes, or shall "
            "barcodes be made?"
        ),
    )


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (("No.", "Log #"), (1, "LV-1")),
        (("Nr.", "Barcode no."), (1, "LV-1")),
        (("Barcode", "Tag"), (1, "LV-1")),
        (("EPC", "#"), ("LV-1", 1)),
        (("No.", "Species"), ("LV-1", "oak")),
        (("Label", "Label"), ("LV-1", "LV-1")),
        (("Tag", "Label"), ("LV-1", None)),
    ],
)
def test_a_column_of_row_numbers_stands_beside_the_barcodes(
    header: tuple[str, ...], cells: tuple[Any, ...]
) -> None:
    [log] = read(workbook((*header, *HEADER[1:]), (*cells, 4.2, 30, 25))).logs
    assert log[0] == "LV-1"


def test_a_sheet_without_barcodes_asks_which_column_or_to_make_them() -> None:
    content = workbook(("Species", "Grade", *HEADER[1:]), ("oak", "A", 4.2, 30, 25))
    assert question(content) == (
        "columns.barcode",
        [1, 2, None],
        "No column says that it holds the barcodes. Which one is it, or shall they be made?",
    )


@pytest.mark.parametrize("titles", [("Length (m)", "Length (ft)"), ("Length", "Length")])
def test_two_columns_that_say_the_same_are_asked_about(titles: tuple[str, str]) -> None:
    content = workbook(("Barcode", *titles, *HEADER[2:]), ("B-1", 4.2, 13.78, 30, 25))
    assert question(content) == (
        "columns.length",
        [2, 3],
        (
            f"The columns B (“{titles[0]}”) and C (“{titles[1]}”) both say length. Which one is "
            "the length of the logs?"
        ),
    )


def test_a_length_in_two_parts_has_to_be_joined_in_the_sheet() -> None:
    header = ("Barcode", "Length (ft)", "Length (in)", "Width (in)", "Height (in)")
    assert question(workbook(header, ("B-1", 12, 6, 10, 8))) == (
        "columns.length",
        [],
        (
            "The columns B (“Length (ft)”) and C (“Length (in)”) may be two parts of one length. "
            "Write both into one column, such as 8' 6\", then upload the sheet again."
        ),
    )


def test_columns_with_unknown_words_are_asked_for() -> None:
    result = read(workbook(("Xyz", "Qwe", "Rty", "Uio"), USUAL, ("B-2", 4.2, 30, 25)))
    assert result.questions == {
        "columns.barcode": [1, 2, 3, 4, None],
        "columns.length": [2, 3, 4],
        "columns.breadth": [2, 3, 4],
        "columns.height": [2, 3, 4],
    }
    assert result.sentences[1] == "No column says that it holds the length. Which one is it?"
    [head] = result.findings["head"]
    assert head["columns"][1] == {"number": 2, "letters": "B", "header": "Qwe", "field": None}
    assert head["rows"][0] == [2, ["B-1", "4.2", "30", "25"]]


def test_only_the_columns_that_are_missing_are_asked_for() -> None:
    result = read(workbook(("Barcode", "Length (m)", "Foo", "Bar", "Remark"), (*USUAL, "x")))
    assert result.questions == {"columns.breadth": [3, 4], "columns.height": [3, 4]}


@pytest.mark.parametrize(
    ("header", "place"),
    [
        (("Log no", "Length (m)", "Diameter (cm)", "Volume m3"), "column C (“Diameter (cm)”)"),
        (("Tag", "Length (m)", "D1 (cm)", "D2 (cm)"), "columns C (“D1 (cm)”) and D (“D2 (cm)”)"),
        (("Barcode", "Garums (m)", "Diametrs (cm)"), "column C (“Diametrs (cm)”)"),
    ],
)
def test_diameters_are_not_taken_for_breadth_and_height(
    header: tuple[str, ...], place: str
) -> None:
    assert question(workbook(header, ("A-1", 4.2, 31, 0.3))) == (
        "columns.breadth",
        [],
        (
            f"The sheet gives diameters, in {place}. Only logs with breadth and height can be "
            "registered. Replace the diameters in the sheet, then upload it again."
        ),
    )


# --- Units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        ([("Barcode", "Length (ft)", "Width", "Height")], ["breadth", "height"]),
        ([NAMES, (None, "(ft)", None, None)], ["breadth", "height"]),
        ([("Barcode", "Length", "Width (in)", "Height (in)")], ["length"]),
        ([["Length in m"], NAMES], ["breadth", "height"]),
    ],
)
def test_units_named_for_some_measures_only_are_asked_for(
    rows: list[Any], asked: list[str]
) -> None:
    result = read(workbook(*rows, ("B-1", 12, 10, 8)))
    assert result.questions == {f"units.{name}": UNITS for name in asked}
    assert result.sentences[0] == (
        f"The sheet names no unit for the {asked[0]}. In which unit is it?"
    )


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("Barcode", "Length (yd)", *HEADER[2:])],
            "The unit “yd” of the length, from row 1, is not known.",
        ),
        (
            [NAMES, (None, "dm", "cm", "cm")],
            "The unit “dm” of the length, from row 2, is not known.",
        ),
        (
            [HEADER, (None, "(ft)", "(cm)", "(cm)")],
            (
                "The sheet names different units for the length: metres from row 1 and feet from "
                "row 2."
            ),
        ),
        (
            [HEADER, ["Length in feet"]],
            (
                "The sheet names different units for the length: metres from row 1 and feet from "
                "row 2."
            ),
        ),
    ],
)
def test_a_unit_that_is_unknown_or_contradicts_another_is_asked_about(
    rows: list[Any], sentence: str
) -> None:
    assert question(workbook(*rows, USUAL)) == (
        "units.length",
        UNITS,
        f"{sentence} In which unit is it?",
    )


def test_cells_in_another_unit_than_their_header_are_asked_about() -> None:
    rows = [("B-1", "12 ft", 30, 25), ("B-2", "13 ft", 30, 25)]
    field, _, sentence = question(workbook(HEADER, *rows))
    assert (field, sentence) == (
        "units.length",
        (
            "The sheet names different units for the length: metres from row 1 and feet from its "
            "cells. In which unit is it?"
        ),
    )


@pytest.mark.parametrize(
    ("header", "understood"),
    [
        (NAMES, "The sheet names no units. In metres and centimetres"),
        (HEADER, "In the units that the sheet names"),
    ],
)
def test_units_in_which_no_row_is_plausible_are_asked_about(
    header: tuple[str, ...], understood: str
) -> None:
    assert question(workbook(header, MM, ("B-2", 4300, 305, 250))) == (
        "units",
        [ALL_MM],
        (
            f"{understood}, 2 of 2 rows cannot be logs, such as 4,200 m × 305 cm × 250 cm. In "
            "which units are the measures?"
        ),
    )


def test_half_of_the_rows_are_too_many_that_are_implausible() -> None:
    rows = [USUAL, ("B-2", 420, 30, 25), ("B-3", 0, 30, 25), ("B-4", "x", 30, 25)]
    assert list(read(workbook(HEADER, *rows)).questions) == ["units"]
    assert read(workbook(HEADER, *rows, ("B-5", 4.2, 30, 25))).questions == {}


def test_each_table_is_plausible_by_itself() -> None:
    sheets = {"One": [NAMES, USUAL, ("B-2", 4.2, 30, 25)], "Two": [NAMES, ("B-3", 4200, 305, 250)]}
    result = read(books(**sheets))
    assert list(result.questions) == ["tables.2.units"]


def test_questions_about_one_of_several_tables_say_which() -> None:
    second = [("Tag", "Length (ft)", "Width", "Height"), ("B-2", 12, 10, 8)]
    result = read(books(One=[HEADER, USUAL], Two=second))
    assert list(result.questions) == ["tables.2.units.breadth", "tables.2.units.height"]
    assert [head["sheet"] for head in result.findings["head"]] == ["One", "Two"]


# --- Numbers and letters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("B-1;4,200;30;25", "“4,200” can be 4.2 or 4200."),
        ("B-1;4.200;30;25\nB-2;1.250;30;25", "“4.200” can be 4200 or 4.2."),
        ("B-1;12,500;1,050;250", "“12,500” can be 12.5 or 12500."),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_asked_about(rows: str, sentence: str) -> None:
    assert question(f"Barcode;Length;Breadth;Height\n{rows}\n") == (
        "decimal",
        [".", ","],
        f"{sentence} Which mark begins the decimals?",
    )


def test_numbers_that_contradict_each_other_are_asked_about() -> None:
    header = "Barcode;Length (m);Breadth (cm);Height (cm)\n"
    assert question(f"{header}B-1;4,2;30;25\nB-2;4.3;30;25\n") == (
        "decimal",
        [".", ","],
        (
            "Some numbers have a decimal point, others a decimal comma, such as “4,2”. Which mark "
            "begins the decimals?"
        ),
    )


def test_an_encoding_that_cannot_be_told_is_asked_for() -> None:
    content = b"Barcode;Length (m);Breadth (cm);Height (cm)\nB\xd0-1;4,2;30;25\n"
    result = read(content)
    assert set(result.questions["encoding"]) == {"cp1250", "cp1251", "cp1252", "cp1257"}
    assert result.findings["head"][0]["rows"] == [[2, ["BÐ-1", "4,2", "30", "25"]]]
    [log] = read(content, read_as={"encoding": "cp1257"}).logs
    assert log == ("BŠ-1", "4.200", "30.000", "25.000")
