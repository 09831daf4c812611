"""Marks the bad cells of a tally sheet: coloured, with a comment that says what is in the way.

Runs in the sandbox, and so keeps everything in memory: there it can write no file, not even a
temporary one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from itertools import islice
from typing import Any, BinaryIO, Final, Protocol

import openpyxl.packaging.extended  # noqa: F401 - the writer imports it at first use: too late
from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.styles import PatternFill
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from timba.files.processors.base import FileRefused, ReadResult, Source
from timba.tallies.headers import Columns, find_columns
from timba.tallies.reading import MAX_TITLE_ROWS, NO_HEADER
from timba.tallies.workbooks import Sheet, is_workbook, open_sheets

MARKED: Final = "marked"
AUTHOR: Final = "Timba"
_BAD: Final = PatternFill("solid", start_color="FFC7CE")
_COMMENT_WIDTH, _COMMENT_HEIGHT = 260, 80


class Marks(Source, Protocol):
    """A sheet; its extra input is JSON: its name and `[row, column, sentence]` of each bad cell."""

    def open_extra(self) -> BinaryIO: ...


def mark_workbook(source: Marks) -> ReadResult:
    """Return the workbook as it was uploaded, its bad cells marked; a CSV becomes a workbook."""
    with source.open() as stream:
        if not is_workbook(stream):
            return mark_values(source)
        # Formulas become the values they came to, and external links are left out: nothing in what
        # Timba writes is run, or asks for anything, when it is opened.
        book = load_workbook(stream, data_only=True, keep_links=False)
    name, marks = _marks(source)
    return _marked(book, book[name], marks)


def mark_values(source: Marks) -> ReadResult:
    """Return a new workbook of the sheet's values alone, its bad cells marked."""
    book = Workbook()
    page = book.worksheets[0]
    with source.open() as stream:
        sheet, rows = _tally_of(stream)
    page.title = "Tally"
    for number, cells in enumerate(rows, start=1):
        for column, value in enumerate(cells, start=sheet.first_column + 1):
            if value != "":
                _fill_in(page.cell(row=number, column=column), value)
    return _marked(book, page, _marks(source)[1])


def _marks(source: Marks) -> tuple[str, list[tuple[int, int, str]]]:
    with source.open_extra() as stream:
        extra = json.load(stream)
    return extra["sheet"], extra["marks"]


def _tally_of(stream: BinaryIO) -> tuple[Sheet, Sequence[Sequence[Any]]]:
    for sheet in open_sheets(stream):
        rows = list(sheet.rows)
        if any(isinstance(find_columns(cells), Columns) for cells in islice(rows, MAX_TITLE_ROWS)):
            return sheet, rows
    raise FileRefused(NO_HEADER)


def _fill_in(cell: Any, value: Any) -> None:
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
        # A text stays one, whatever it begins with: it is no formula.
        cell.data_type = "s"
    else:
        cell.value = value


def _marked(book: Workbook, page: Worksheet, marks: Sequence[tuple[int, int, str]]) -> ReadResult:
    for row, column, sentence in marks:
        cell = _real(page, row, column)
        comment = Comment(sentence, AUTHOR, height=_COMMENT_HEIGHT, width=_COMMENT_WIDTH)
        if cell.comment is not None:
            comment = Comment(f"{sentence}\n\n{cell.comment.text}", AUTHOR)
        cell.comment, cell.fill = comment, _BAD
    return ReadResult(findings={}, objects={MARKED: _saved(book)})


def _real(page: Worksheet, row: int, column: int) -> Cell:
    """Return the cell of this place; of merged ones it is the first that can be written to."""
    cell = page.cell(row=row, column=column + 1)
    if not isinstance(cell, MergedCell):
        return cell
    [merged] = [each for each in page.merged_cells.ranges if cell.coordinate in each][:1]
    return page.cell(row=merged.min_row, column=merged.min_col)


def _saved(book: Workbook) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _InMemory(book, archive).save()
    return content.getvalue()


class _InMemory(ExcelWriter):  # type: ignore[misc]  # it has no types
    """Writes each sheet into memory, where openpyxl would use a temporary file."""

    def write_worksheet(self, ws: Any) -> None:
        # As in openpyxl's own, but for the file.
        ws._drawing = SpreadsheetDrawing()  # noqa: SLF001
        ws._drawing.charts, ws._drawing.images = ws._charts, ws._images  # noqa: SLF001
        out = io.BytesIO()
        writer = WorksheetWriter(ws, out)
        writer.write()
        ws._rels = writer._rels  # noqa: SLF001
        self._archive.writestr(ws.path[1:], out.getvalue())
        self.manifest.append(ws)
