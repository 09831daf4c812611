"""The annotated copy of a sheet: bad cells are coloured and commented, all else is unchanged."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image as Picture
from openpyxl.styles import Font

from tests.files.samples import MemorySource, forest
from tests.tallies.sheets import (
    HEADER,
    save,
    strict,
    tally,
    workbook,
    workbook_of_xml,
)
from timba.files.processors.base import ReadResult
from timba.tallies.annotate import annotate_values, annotate_workbook

ROW = ("B-1", 4.2, 30.5, 25)
ANNOTATIONS = [(0, 2, 1, "The length is missing.")]
BOTH = pytest.mark.parametrize("by", [annotate_workbook, annotate_values])
Annotate = Callable[[Any], ReadResult]


def annotated_book(
    content: bytes | str,
    annotations: list[tuple[int, int, int, str]],
    *,
    by: Annotate = annotate_workbook,
    encoding: str | None = None,
) -> Any:
    """Return the annotated copy of a workbook or CSV."""
    extra = json.dumps({"annotations": annotations, "encoding": encoding}).encode()
    content = content.encode() if isinstance(content, str) else content
    copy = by(MemorySource(content, extra)).objects["annotated"]
    return openpyxl.load_workbook(io.BytesIO(copy))


def annotated(content: bytes | str, *arguments: Any, **options: Any) -> Any:
    """Return the first sheet of the annotated copy."""
    return annotated_book(content, *arguments, **options).worksheets[0]


@BOTH
def test_a_bad_cell_is_coloured_and_has_a_comment(by: Annotate) -> None:
    sheet = annotated(tally(ROW), ANNOTATIONS, by=by)
    assert sheet["B2"].comment.text == "The length is missing."
    assert sheet["B2"].fill.start_color.rgb == "00FFC7CE"
    assert [[cell.value for cell in row] for row in sheet] == [list(HEADER), list(ROW)]
    assert sheet["A2"].comment is None


@BOTH
def test_cells_of_several_sheets_are_annotated(by: Annotate) -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    chart = BarChart()
    chart.add_data(Reference(book.worksheets[0], min_col=2, min_row=1, max_row=2))
    book.create_chartsheet("Chart", 0).add_chart(chart)
    book.create_sheet("Lorry 2").append(["B-2"])
    copy = annotated_book(save(book), [*ANNOTATIONS, (1, 1, 0, "Twice.")], by=by)
    assert copy["Tally"]["B2"].comment.text == "The length is missing."
    assert copy["Lorry 2"]["A1"].comment.text == "Twice."


@BOTH
def test_what_is_hidden_stays_hidden(by: Annotate) -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW)))
    page = book.worksheets[0]
    page.row_dimensions[2].hidden = True
    page.column_dimensions["C"].hidden = True
    prices = book.create_sheet("Prices")
    prices["A1"] = 12
    prices.sheet_state = "hidden"
    copy = annotated_book(save(book), ANNOTATIONS, by=by)
    assert copy["Tally"].row_dimensions[2].hidden
    assert copy["Tally"].column_dimensions["C"].hidden
    assert not copy["Tally"].column_dimensions["B"].hidden
    assert (copy["Prices"].sheet_state, copy["Prices"]["A1"].value) == ("hidden", 12)


def test_a_message_may_hold_any_character() -> None:
    sheet = annotated(tally(ROW), [(0, 2, 1, "“4\x01” is not a number.")])
    assert sheet["B2"].comment.text == "“4\ufffd” is not a number."


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
    sheet = annotated(content, [(0, 2, 2, "The breadth “=1+1” is not a number.")])
    assert [(cell.value, cell.data_type) for cell in sheet[2]] == [
        ("B-1", "s"),
        (4.2, "n"),
        ("=1+1", "s"),
        (None, "n"),
    ]


def test_a_merged_cell_is_annotated_at_the_first_of_its_range() -> None:
    book = openpyxl.load_workbook(io.BytesIO(tally(ROW, ROW)))
    book.worksheets[0].merge_cells("B2:B3")
    sheet = annotated(save(book), [(0, 3, 1, "The length is missing.")])
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
    sheet = annotated(f"Lorry 7\n\n{text}", [(0, 4, 1, "The length “x” is not a number.")])
    assert sheet["A1"].value == "Lorry 7"
    assert (sheet["A4"].value, sheet["A4"].data_type) == ("=1+1", "s")
    assert sheet["D4"].value == "25\ufffd"
    assert sheet["B4"].comment.text == "The length “x” is not a number."


def test_the_values_of_a_workbook_keep_their_cells() -> None:
    content = workbook([], [None, "Lorry 7"], [None, *HEADER], [None, *ROW])
    sheet = annotated(content, [(0, 4, 2, "The length is missing.")], by=annotate_values)
    assert (sheet["B2"].value, sheet["B4"].value) == ("Lorry 7", "B-1")
    assert sheet["C4"].comment is not None


def test_numbers_and_dates_keep_their_formats_among_the_values() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([7, dt.date(2026, 3, 2), True])))
    book.worksheets[0]["A1"].number_format = "0000"
    sheet = annotated(save(book), [(0, 1, 0, "Bad.")], by=annotate_values)
    assert (sheet["A1"].value, sheet["A1"].number_format) == (7, "0000")
    assert (sheet["B1"].value, sheet["C1"].value) == (dt.datetime(2026, 3, 2), True)  # noqa: DTZ001


def test_a_strict_workbook_is_annotated_among_its_values() -> None:
    """openpyxl finds no sheet in it."""
    content = strict(tally(ROW))
    with pytest.warns(UserWarning, match="invalid specification"), pytest.raises(KeyError):
        annotated(content, ANNOTATIONS)
    sheet = annotated(content, ANNOTATIONS, by=annotate_values)
    assert [cell.value for cell in sheet[2]] == list(ROW)


def test_a_csv_is_read_in_the_encoding_that_was_answered() -> None:
    content = "Nr;Garums\nŽ-1;x".encode("cp1257")
    sheet = annotated(content, [(0, 2, 1, "“x” is not a number.")], encoding="cp1257")
    assert [cell.value for cell in sheet[2]] == ["Ž-1", "x"]
