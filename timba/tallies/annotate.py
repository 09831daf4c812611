"""Annotates the bad cells of a tally sheet: coloured, each with a comment that says what is wrong.

Runs in the sandbox, where no file can be written, not even a temporary one: all is in memory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from itertools import islice
from typing import Any, BinaryIO, Final, Protocol

# openpyxl imports it at the first save, when the sandbox no longer allows it.
import openpyxl.packaging.extended  # noqa: F401
from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.styles import PatternFill
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from timba.files.processors.base import FileRefused, ReadResult, Source
from timba.files.rejects import set_xlsx_text
from timba.tallies.headers import Columns, find_columns
from timba.tallies.reading import NO_HEADER
from timba.tallies.tables import MAX_TITLE_ROWS
from timba.tallies.workbooks import Sheet, is_workbook, open_sheets

# The name of the object with the annotated workbook in a result.
ANNOTATED: Final = "annotated"
AUTHOR: Final = "Timba"
_ERROR_FILL: Final = PatternFill("solid", start_color="FFC7CE")
# Pixels.
_COMMENT_WIDTH, _COMMENT_HEIGHT = 260, 80

# Row from 1, column from 0, message.
Annotation = tuple[int, int, str]


class AnnotationSource(Source, Protocol):
    """A sheet, with an extra input: JSON of `{"sheet": its name, "annotations": [Annotation]}`."""

    def open_extra(self) -> BinaryIO: ...


def annotate_workbook(source: AnnotationSource) -> ReadResult:
    """Return a copy of the workbook with its bad cells annotated; a CSV becomes a workbook."""
    with source.open() as stream:
        if not is_workbook(stream):
            return annotate_values(source)
        # Formulas are replaced by their values and external links left out, so that nothing in a
        # file written by Timba runs or connects anywhere when it is opened.
        book = load_workbook(stream, data_only=True, keep_links=False)
    name, annotations = _read_annotations(source)
    return _annotate(book, book[name], annotations)


def annotate_values(source: AnnotationSource) -> ReadResult:
    """Return a new workbook with only the values of the tally's sheet, its bad cells annotated."""
    book = Workbook()
    worksheet = book.worksheets[0]
    with source.open() as stream:
        sheet, rows = _read_tally_sheet(stream)
    worksheet.title = "Tally"
    for number, cells in enumerate(rows, start=1):
        for column, value in enumerate(cells, start=sheet.first_column + 1):
            if value != "":
                _set_value(worksheet.cell(row=number, column=column), value)
    _, annotations = _read_annotations(source)
    return _annotate(book, worksheet, annotations)


def _read_annotations(source: AnnotationSource) -> tuple[str, Sequence[Annotation]]:
    with source.open_extra() as stream:
        extra = json.load(stream)
    return extra["sheet"], extra["annotations"]


def _read_tally_sheet(stream: BinaryIO) -> tuple[Sheet, Sequence[Sequence[Any]]]:
    for sheet in open_sheets(stream):
        rows = list(sheet.rows)
        if any(isinstance(find_columns(cells), Columns) for cells in islice(rows, MAX_TITLE_ROWS)):
            return sheet, rows
    raise FileRefused(NO_HEADER)


def _set_value(cell: Any, value: Any) -> None:
    if isinstance(value, str):
        set_xlsx_text(cell, value)
    else:
        cell.value = value


def _annotate(
    book: Workbook, worksheet: Worksheet, annotations: Sequence[Annotation]
) -> ReadResult:
    for row, column, message in annotations:
        cell = _writable_cell(worksheet, row, column)
        comment = Comment(message, AUTHOR, height=_COMMENT_HEIGHT, width=_COMMENT_WIDTH)
        if cell.comment is not None:
            comment = Comment(f"{message}\n\n{cell.comment.text}", AUTHOR)
        cell.comment, cell.fill = comment, _ERROR_FILL
    return ReadResult(findings={}, objects={ANNOTATED: _save(book)})


def _writable_cell(worksheet: Worksheet, row: int, column: int) -> Cell:
    """Return the cell at a place; of merged cells, only the first one can be written to."""
    cell = worksheet.cell(row=row, column=column + 1)
    if not isinstance(cell, MergedCell):
        return cell
    ranges = worksheet.merged_cells.ranges
    merged = next(each for each in ranges if cell.coordinate in each)
    return worksheet.cell(row=merged.min_row, column=merged.min_col)


def _save(book: Workbook) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _InMemoryWriter(book, archive).save()
    return content.getvalue()


class _InMemoryWriter(ExcelWriter):  # type: ignore[misc]  # openpyxl has no types
    """Writes each sheet to memory, where openpyxl would use a temporary file."""

    def write_worksheet(self, ws: Any) -> None:
        # The same steps as in openpyxl's method, without its file.
        ws._drawing = SpreadsheetDrawing()  # noqa: SLF001
        ws._drawing.charts, ws._drawing.images = ws._charts, ws._images  # noqa: SLF001
        out = io.BytesIO()
        writer = WorksheetWriter(ws, out)
        writer.write()
        ws._rels = writer._rels  # noqa: SLF001
        self._archive.writestr(ws.path[1:], out.getvalue())
        self.manifest.append(ws)
