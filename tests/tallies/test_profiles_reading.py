"""An import profile answers what a sheet leaves open, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tallies.reads import Read, books, read
from tests.tallies.sheets import HEADER, workbook

NAMES = ("Barcode", "Length", "Breadth", "Height")
MM = workbook(NAMES, ("B-1", 4200, 300, 250), ("B-2", 4300, 300, 250))
ALL_MM = {"length": "mm", "breadth": "mm", "height": "mm"}
FEET = {"length": "ft", "breadth": "in", "height": "in"}
COUNTED = workbook(("No.", *HEADER[1:]), (1, 4.2, 30, 25), (2, 4.3, 31, 26))
OPEN = "Barcode;Length;Breadth;Height\nB-1;4,200;30;25\n"
USED = {"profile_used": "What the file leaves open was taken from an import profile."}


def read_with(content: bytes | str, read_as: dict[str, Any]) -> Read:
    """Read a sheet with a profile for its header."""
    digest = read(content).findings["header_digest"]
    other = {"id": 4, "header_digest": "0" * 64, "read_as": {"units": FEET}}
    return read(content, profiles=[other, {"id": 5, "header_digest": digest, "read_as": read_as}])


@pytest.mark.parametrize(
    ("content", "read_as", "log"),
    [
        (MM, {"units": ALL_MM}, ("B-1", "4.200", "30.000", "25.000")),
        (COUNTED, {"columns": {"barcode": 1}}, ("1", "4.200", "30.000", "25.000")),
        (COUNTED, {"columns": {"barcode": None}}, (None, "4.200", "30.000", "25.000")),
        (OPEN, {"decimal": ","}, ("B-1", "4.200", "30.000", "25.000")),
        (
            workbook(("Barcode", "Length (ft)", "Width", "Height"), ("B-1", 10, 10, 5)),
            {"units": FEET},
            ("B-1", "3.048", "25.400", "12.700"),
        ),
        (
            workbook(("Barcode", "Abc", "Def", "Ghi"), ("B-1", 25, 30, 4.2)),
            {"columns": {"length": 4, "breadth": 3, "height": 2}},
            ("B-1", "4.200", "30.000", "25.000"),
        ),
        (
            b"Barcode;Length (m);Breadth (cm);Height (cm)\nB\xd0-1;4,2;30;25\n",
            {"encoding": "cp1257"},
            ("BŠ-1", "4.200", "30.000", "25.000"),
        ),
    ],
)
def test_a_profile_answers_what_is_open_and_is_told(
    content: bytes | str, read_as: dict[str, Any], log: tuple[str | None, ...]
) -> None:
    if isinstance(content, bytes) and "encoding" in read_as:
        digest = read(content, read_as=read_as).findings["header_digest"]
        profile = {"id": 5, "header_digest": digest, "read_as": read_as}
        result = read(content, profiles=[profile])
    else:
        result = read_with(content, read_as)
    assert result.logs[0] == log
    assert result.findings["profile"] == result.findings["read_as"]["profile"] == 5
    assert result.warnings == USED


@pytest.mark.parametrize(
    ("rows", "read_as"),
    [
        ([HEADER], {"units": FEET}),
        ([NAMES, (None, "m", "cm", "cm")], {"units": FEET}),
        ([["Length in m, width and height in cm"], NAMES], {"units": FEET}),
        ([NAMES], {"units": FEET}),
        ([HEADER], {"columns": {"length": 3, "breadth": 2}}),
        ([HEADER], {"decimal": ","}),
    ],
)
def test_a_profile_changes_nothing_that_the_sheet_says(
    rows: list[Any], read_as: dict[str, Any]
) -> None:
    result = read_with(workbook(*rows, ("B-1", "4.2", 30, 25)), read_as)
    assert result.logs == [("B-1", "4.200", "30.000", "25.000")]
    assert (result.findings["profile"], result.warnings) == (None, {})


@pytest.mark.parametrize(
    ("content", "read_as", "asked"),
    [
        (MM, {"units": FEET}, ["units"]),
        (OPEN, {"decimal": "."}, ["decimal"]),
        (COUNTED, {"columns": {"barcode": 9}}, ["columns.barcode"]),
        (MM, {"units": {"length": "mm"}}, ["units"]),
    ],
)
def test_a_profile_that_does_not_fit_the_rows_answers_nothing(
    content: bytes | str, read_as: dict[str, Any], asked: list[str]
) -> None:
    result = read_with(content, read_as)
    assert list(result.questions) == asked
    assert (result.findings["profile"], result.warnings) == (None, {})


def test_a_profile_is_found_beside_a_table_that_is_left_out() -> None:
    checks = [["Barcode", "Length"], ["B-1", 4.2]]
    content = books(Checks=checks, Tally=[NAMES, ["B-1", 4200, 300, 250]])
    result = read_with(content, {"tables": [{}, {"units": ALL_MM}]})
    assert result.logs == [("B-1", "4.200", "30.000", "25.000")]
    assert result.findings["profile"] == 5


def test_answers_come_before_a_profile() -> None:
    digest = read(MM).findings["header_digest"]
    profile = {"id": 5, "header_digest": digest, "read_as": {"units": ALL_MM}}
    answer = {"length": "mm", "breadth": "in", "height": "in"}
    result = read(MM, read_as={"units": answer}, profiles=[profile])
    assert (result.units, result.findings["profile"]) == (answer, None)


@pytest.mark.parametrize(
    ("header", "is_same"),
    [
        (("BARCODE", " length:", "Breadth", "Height "), True),
        (("Barcode", "Length (mm)", "Breadth", "Height"), False),
        (("Barcode", "Breadth", "Length", "Height"), False),
    ],
)
def test_the_digest_is_that_of_the_words_of_the_header(
    header: tuple[str, ...], *, is_same: bool
) -> None:
    one, other = (read(workbook(each, ("B-1", 4.2, 30, 25))) for each in (NAMES, header))
    assert (one.findings["header_digest"] == other.findings["header_digest"]) is is_same
