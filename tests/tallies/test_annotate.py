"""The marked copy of a sheet: its own cells, coloured and commented, and nothing else changed."""

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

from tests.files.samples import forest
from tests.tallies.sheets import HEADER, Bytes, read_back, saved, tally, with_sheet, workbook
from timba.files.processors.base import FileRefused, ReadResult
from timba.tallies.annotate import annotate_values, annotate_workbook

ROW = ("B-1", 4.2, 30.5, 25)
MARK = [(2, 1, "The length is missing.")]
Mark = Callable[[Any], ReadResult]


def marked(
    content: bytes | str, annotations: list[tuple[int, int, str]], *, by: Mark = annotate_workbook
) -> Any:
    extra = json.dumps({"sheet": "Tally", "annotations": annotations}).encode()
    return read_back(by(Bytes(content, extra)).objects["annotated"])


@pytest.mark.parametrize("by", [annotate_workbook, annotate_values])
def test_a_bad_cell_is_coloured_and_says_why(by: Mark) -> None:
    sheet = marked(tally(ROW), MARK, by=by)
    assert sheet["B2"].comment.text == "The length is missing."
    assert sheet["B2"].fill.start_color.rgb == "00FFC7CE"
    assert [[cell.value for cell in row] for row in sheet] == [list(HEADER), list(ROW)]
    assert sheet["A2"].comment is None


def test_what_else_there_is_stays() -> None:
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
    sheet = marked(saved(book), MARK)
    assert sheet["A1"].font.bold
    assert sheet["G2"].value == dt.datetime(2026, 3, 2)  # noqa: DTZ001
    assert sheet.column_dimensions["A"].width == 33
    assert [str(merged) for merged in sheet.merged_cells.ranges] == ["A4:B5"]
    assert len(sheet._images) == 1
    assert sheet.parent["Prices"]["A1"].value == 12


def test_of_formulas_the_values_stay_that_they_came_to() -> None:
    """What a stranger wrote into a sheet does not run in the copy that Timba makes of it."""
    header = "".join(f'<c t="str"><v>{name}</v></c>' for name in HEADER)
    content = with_sheet(
        f"<row>{header}</row>"
        '<row><c t="str"><f>"B"&amp;"-1"</f><v>B-1</v></c><c t="n"><f>2.1*2</f><v>4.2</v></c>'
        '<c t="str"><f>T("=")</f><v>=1+1</v></c><c><f>WEBSERVICE("http://192.0.2.1/")</f></c></row>'
    )
    sheet = marked(content, [(2, 2, "The breadth “=1+1” is not a number.")])
    assert [(cell.value, cell.data_type) for cell in sheet[2]] == [
        ("B-1", "s"),
        (4.2, "n"),
        ("=1+1", "s"),
        (None, "n"),
    ]


def test_a_cell_inside_merged_ones_is_marked_where_they_begin() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW, ROW)))
    book.worksheets[0].merge_cells("B2:B3")
    sheet = marked(saved(book), [(3, 1, "The length is missing.")])
    assert sheet["B2"].comment.text == "The length is missing."


def test_a_comment_that_was_there_is_kept_below() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    book.worksheets[0]["B2"].comment = Comment("Measured twice", "Anna")
    assert (
        marked(saved(book), MARK)["B2"].comment.text == "The length is missing.\n\nMeasured twice"
    )


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_csv_becomes_a_workbook_whose_texts_are_texts(delimiter: str) -> None:
    rows = (HEADER, ("=1+1", "x", "30", "25\x01"))
    text = "\n".join(delimiter.join(row) for row in rows)
    sheet = marked(f"Lorry 7\n\n{text}", [(4, 1, "The length “x” is not a number.")])
    assert sheet["A1"].value == "Lorry 7"
    assert (sheet["A4"].value, sheet["A4"].data_type) == ("=1+1", "s")
    assert sheet["D4"].value == "25\ufffd"
    assert sheet["B4"].comment.text == "The length “x” is not a number."


def test_the_values_of_a_workbook_stand_where_they_stood() -> None:
    content = workbook([], [None, "Lorry 7"], [None, *HEADER], [None, *ROW])
    sheet = marked(content, [(4, 2, "The length is missing.")], by=annotate_values)
    assert (sheet["B2"].value, sheet["B4"].value) == ("Lorry 7", "B-1")
    assert sheet["C4"].comment is not None


def test_what_holds_no_tally_is_not_marked() -> None:
    with pytest.raises(FileRefused):
        marked(workbook(["Nothing"]), MARK, by=annotate_values)
