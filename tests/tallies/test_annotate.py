"""The annotated copy of a sheet: bad cells are coloured and commented, all else is unchanged."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as Picture
from openpyxl.styles import Font

from tests.files.samples import MemorySource, forest
from tests.tallies.sheets import (
    HEADER,
    read_back,
    save,
    tally,
    workbook,
    workbook_of_xml,
)
from timba.files.processors.base import FileRefused, ReadResult
from timba.tallies.annotate import annotate_values, annotate_workbook

ROW = ("B-1", 4.2, 30.5, 25)
ANNOTATIONS = [(2, 1, "The length is missing.")]
Annotate = Callable[[Any], ReadResult]


def annotated(
    content: bytes | str,
    annotations: list[tuple[int, int, str]],
    *,
    by: Annotate = annotate_workbook,
) -> Any:
    extra = json.dumps({"sheet": "Tally", "annotations": annotations}).encode()
    content = content.encode() if isinstance(content, str) else content
    return read_back(by(MemorySource(content, extra)).objects["annotated"])


@pytest.mark.parametrize("by", [annotate_workbook, annotate_values])
def test_a_bad_cell_is_coloured_and_has_a_comment(by: Annotate) -> None:
    sheet = annotated(tally(ROW), ANNOTATIONS, by=by)
    assert sheet["B2"].comment.text == "The length is missing."
    assert sheet["B2"].fill.start_color.rgb == "00FFC7CE"
    assert [[cell.value for cell in row] for row in sheet] == [list(HEADER), list(ROW)]
    assert sheet["A2"].comment is None


def test_everything_else_in_a_workbook_is_kept() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    page = book.worksheets[0]
    page["A1"].font = Font(bold=True)
    page["G2"] = dt.date(2026, 3, 2)
    page.column_dimensions["A"].width = 33
    page.merge_cells("A4:B5")
    photo = io.BytesIO()
    forest((20, 20)).save(photo, "PNG")
    page.add_image(Picture(photo), "H1")
    book.create_sheet("Prices")["A1"] = 12
    sheet = annotated(save(book), ANNOTATIONS)
    assert sheet["A1"].font.bold
    assert sheet["G2"].value == dt.datetime(2026, 3, 2)  # noqa: DTZ001
    assert sheet.column_dimensions["A"].width == 33
    assert [str(merged) for merged in sheet.merged_cells.ranges] == ["A4:B5"]
    assert len(sheet._images) == 1
    assert sheet.parent["Prices"]["A1"].value == 12


def test_formulas_are_replaced_by_their_values() -> None:
    """No formula of an uploaded sheet runs in the copy."""
    header = "".join(f'<c t="str"><v>{name}</v></c>' for name in HEADER)
    content = workbook_of_xml(
        f"<row>{header}</row>"
        '<row><c t="str"><f>"B"&amp;"-1"</f><v>B-1</v></c><c t="n"><f>2.1*2</f><v>4.2</v></c>'
        '<c t="str"><f>T("=")</f><v>=1+1</v></c><c><f>WEBSERVICE("http://192.0.2.1/")</f></c></row>'
    )
    sheet = annotated(content, [(2, 2, "The breadth “=1+1” is not a number.")])
    assert [(cell.value, cell.data_type) for cell in sheet[2]] == [
        ("B-1", "s"),
        (4.2, "n"),
        ("=1+1", "s"),
        (None, "n"),
    ]


def test_a_merged_cell_is_annotated_at_the_first_of_its_range() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW, ROW)))
    book.worksheets[0].merge_cells("B2:B3")
    sheet = annotated(save(book), [(3, 1, "The length is missing.")])
    assert sheet["B2"].comment.text == "The length is missing."


def test_an_existing_comment_is_kept_below() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    book.worksheets[0]["B2"].comment = Comment("Measured twice", "Anna")
    assert (
        annotated(save(book), ANNOTATIONS)["B2"].comment.text
        == "The length is missing.\n\nMeasured twice"
    )


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_csv_becomes_a_workbook_of_texts(delimiter: str) -> None:
    rows = (HEADER, ("=1+1", "x", "30", "25\x01"))
    text = "\n".join(delimiter.join(row) for row in rows)
    sheet = annotated(f"Lorry 7\n\n{text}", [(4, 1, "The length “x” is not a number.")])
    assert sheet["A1"].value == "Lorry 7"
    assert (sheet["A4"].value, sheet["A4"].data_type) == ("=1+1", "s")
    assert sheet["D4"].value == "25\ufffd"
    assert sheet["B4"].comment.text == "The length “x” is not a number."


def test_the_values_of_a_workbook_keep_their_cells() -> None:
    content = workbook([], [None, "Lorry 7"], [None, *HEADER], [None, *ROW])
    sheet = annotated(content, [(4, 2, "The length is missing.")], by=annotate_values)
    assert (sheet["B2"].value, sheet["B4"].value) == ("Lorry 7", "B-1")
    assert sheet["C4"].comment is not None


def test_a_file_without_a_tally_is_not_annotated() -> None:
    with pytest.raises(FileRefused):
        annotated(workbook(["Nothing"]), ANNOTATIONS, by=annotate_values)
