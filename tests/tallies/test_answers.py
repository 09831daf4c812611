"""Answers are checked before they are taken, and taken for what they say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import books, read, refusal
from tests.tallies.sheets import HEADER, workbook
from timba.tallies.answers import check_answers

NAMES = ("Barcode", "Length", "Breadth", "Height")
COUNTED = ("No.", *HEADER[1:])
ROWS = ((1, 4.2, 30, 25), (2, 4.3, 31, 26))
UNKNOWN = workbook(("Xyz", "Qwe", "Rty", "Uio"), ("B-1", 25, 30, 4.2), ("B-2", 26, 31, 4.3))
ALL_MM = {"length": "mm", "breadth": "mm", "height": "mm"}


def test_columns_are_those_that_an_answer_names() -> None:
    columns = {"barcode": 1, "length": 4, "breadth": 3, "height": 2}
    result = read(UNKNOWN, read_as={"columns": columns})
    assert result.logs[0] == ("B-1", "4.200", "30.000", "25.000")
    assert result.evidence["columns.length"] == "Length in column D (“Uio”), as answered."


@pytest.mark.parametrize(("number", "barcodes"), [(1, ["1", "2"]), (None, [None, None])])
def test_a_column_that_counts_is_the_barcode_or_barcodes_are_made(
    number: int | None, barcodes: list[str | None]
) -> None:
    content = workbook(COUNTED, *ROWS, ("Total", 8.5, 61, 51))
    result = read(content, read_as={"columns": {"barcode": number}})
    assert [log[0] for log in result.logs] == barcodes
    assert result.left_out == {"total": 1}
    assert result.findings["made_barcodes"] is (number is None)


@pytest.mark.parametrize("number", [1, None])
def test_an_answer_about_columns_holds_for_the_tables_beside(number: int | None) -> None:
    content = workbook((*COUNTED, None, *COUNTED), (*ROWS[0], None, 3, 4.4, 30, 25))
    logs = read(content, read_as={"columns": {"barcode": number}}).logs
    assert [log[0] for log in logs] == ([None, None] if number is None else ["1", "3"])


@pytest.mark.parametrize(
    ("units", "length"),
    [(ALL_MM, "4.200"), ({"length": "mm", "breadth": "cm", "height": "cm"}, "4.200")],
)
def test_units_are_those_of_the_answer(units: dict[str, str], length: str) -> None:
    content = workbook(NAMES, ("B-1", 4200, 250, 250))
    result = read(content, read_as={"units": units})
    assert result.logs[0][1] == length
    assert result.units == units
    assert result.evidence["units.length"] == "Length in millimetres, as answered."


def test_an_answer_is_taken_against_the_header_and_against_all_plausibility() -> None:
    content = workbook(HEADER, ("B-1", 4.2, 30, 25))
    assert read(content, read_as={"units": {"length": "ft"}}).logs[0][1] == "1.280"
    result = read(content, read_as={"units": ALL_MM})
    assert result.rejects == {
        2: {"length": "The length is understood as 0.004 m; a log has 0.1 to 40 m."}
    }


def test_units_that_an_answer_leaves_out_are_still_asked_for() -> None:
    content = workbook(NAMES, ("B-1", 4200, 305, 250))
    result = read(content, read_as={"units": {"length": "mm"}})
    assert list(result.questions) == ["units.breadth", "units.height"]


@pytest.mark.parametrize(("decimal", "bad_row"), [(",", 3), (".", 2)])
def test_decimals_are_those_of_the_answer(decimal: str, bad_row: int) -> None:
    content = "Barcode;Length (m);Breadth (cm);Height (cm)\nB-1;4,2;30;25\nB-2;4.3;30;25\n"
    result = read(content, read_as={"decimal": decimal})
    assert len(result.logs) == 1
    assert list(result.rejects) == [bad_row]
    assert result.evidence["decimal"] == f"Decimals begin with “{decimal}”, as answered."


def test_tables_have_answers_of_their_own() -> None:
    second = [("Tag", "Length (ft)", "Width", "Height"), ("B-2", 12, 10, 8)]
    content = books(One=[HEADER, ("B-1", 4.2, 30, 25)], Two=second)
    answer = {"tables": [{}, {"units": {"breadth": "in", "height": "in"}}]}
    assert read(content, read_as=answer).logs == [
        ("B-1", "4.200", "30.000", "25.000"),
        ("B-2", "3.658", "25.400", "20.320"),
    ]
    sentence = "The answers name 3 tables; the file has 2."
    assert refusal(content, read_as={"tables": [{}, {}, {}]}) == sentence


@pytest.mark.parametrize(
    "content",
    [
        workbook(HEADER, ("B-1", 4.2, 30, 25)),
        books(One=[HEADER, ("B-1", 4.2, 30, 25)], Two=[HEADER, ("B-2", 4.2, 30, 25)]),
        "Barcode;Length;Breadth;Height\nB-1;4,2;30;25\n",
    ],
)
def test_what_was_told_of_a_reading_can_be_sent_back(content: bytes | str) -> None:
    first = read(content)
    again = read(content, read_as=first.findings["read_as"])
    assert again.logs == first.logs
    assert again.units == first.units


def test_an_answer_that_fits_no_column_is_refused() -> None:
    assert refusal(UNKNOWN, read_as={"columns": {"length": 9}}) == (
        "The answer “columns.length” is 9, but the sheet has no such column. It has 4."
    )


@pytest.mark.parametrize(
    ("read_as", "sentence"),
    [
        ([], "“read_as” is an object such as {“units”: {“length”: “ft”}}."),
        ({"unit": {}}, "“unit” is no answer. Give columns, units, decimal, encoding or tables."),
        ({"columns": []}, "“columns” names columns by number, such as {“length”: 2}."),
        ({"columns": {"length": 0}}, "“columns.length” is the number of a column, from 1."),
        ({"columns": {"length": True}}, "“columns.length” is the number of a column, from 1."),
        ({"columns": {"length": None}}, "“columns.length” is the number of a column, from 1."),
        ({"columns": {"length": 99_999}}, "“columns.length” is the number of a column, from 1."),
        (
            {"columns": {"species": 2}},
            (
                "“columns.species” is no column. Name barcode, length, breadth, height, volume or "
                "pieces."
            ),
        ),
        (
            {"columns": {"breadth": 3, "height": 3}},
            "“columns.breadth” and “columns.height” are the same column.",
        ),
        ({"units": "mm"}, "“units” names a unit for each measure, such as {“length”: “ft”}."),
        (
            {"units": {"width": "mm"}},
            "“units.width” is no measure. Name length, breadth or height.",
        ),
        ({"units": {"length": "yd"}}, "“units.length” is one of mm, cm, m, in or ft."),
        ({"decimal": ";"}, "“decimal” is one of . or ,."),
        (
            {"encoding": "latin-1"},
            (
                "“encoding” is one of utf-8, utf-8-sig, utf-16-le, utf-16-be, cp1250, cp1251, "
                "cp1252 or cp1257."
            ),
        ),
        ({"tables": {}}, "“tables” is a list of answers, one for each table."),
        (
            {"tables": [{}, {"encoding": "utf-8"}]},
            "“tables.2.encoding” is no answer. Give columns, units or decimal.",
        ),
        (
            {"tables": [{"units": {"length": 1}}]},
            "“tables.1.units.length” is one of mm, cm, m, in or ft.",
        ),
    ],
)
def test_an_invalid_answer_has_a_sentence(read_as: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the sentence is compared
        check_answers(read_as)
    assert str(error.value) == sentence


def test_what_is_only_shown_is_no_answer() -> None:
    shown = {"units": {"length": "m"}, "evidence": {}, "profile": 3, "sheet": "A", "header_row": 1}
    assert check_answers({**shown, "delimiter": ";", "decimal": None}) == {"units": {"length": "m"}}
