"""Annotates the bad cells of tally sheets: coloured, each with a comment that says what is wrong.

Runs in the sandbox, where no file can be written, not even a temporary one: all is in memory.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
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

from timba.files.columns import column_letters
from timba.files.processors.base import ReadResult, Source
from timba.files.rejects import set_xlsx_text, xlsx_text
from timba.tallies.cells.archives import is_workbook
from timba.tallies.cells.grids import Cell as GridCell
from timba.tallies.cells.grids import Grid
from timba.tallies.cells.opening import open_workbook
from timba.tallies.cells.workbook_cells import read_sheet_names

# The name of the object with the annotated workbook in a result.
ANNOTATED: Final = "annotated"
AUTHOR: Final = "Timba"
_ERROR_FILL: Final = PatternFill("solid", start_color="FFC7CE")
# Pixels.
_COMMENT_WIDTH, _COMMENT_HEIGHT = 260, 80

# Characters that the name of a sheet cannot have, and how long it can be.
_NOT_IN_NAMES: Final = re.compile(r"[\\*?:/\[\]]")
_MAX_NAME: Final = 31

# Index of the grid, row from 1, column from 0, message.
Annotation = tuple[int, int, int, str]


class AnnotationSource(Source, Protocol):
    """A sheet, with an extra input: JSON of `{"annotations": [Annotation], "encoding": …}`.

    The encoding is that in which a CSV was read.
    """

    def open_extra(self) -> BinaryIO: ...


def annotate_workbook(source: AnnotationSource) -> ReadResult:
    """Return a copy of the workbook with its bad cells annotated; a CSV becomes a workbook."""
    with source.open() as stream:
        if not is_workbook(stream):
            return annotate_values(source)
        names = read_sheet_names(stream)
        stream.seek(0)
        # Formulas are replaced by their values and external links left out, so that nothing in a
        # file written by Timba runs or connects anywhere when it is opened.
        book = load_workbook(stream, data_only=True, keep_links=False)
    worksheets = [book[name] for name in names]
    return _annotate(book, worksheets, _read_extra(source)["annotations"])


def annotate_values(source: AnnotationSource) -> ReadResult:
    """Return a new workbook with only the values of the sheets, the bad cells annotated."""
    extra = _read_extra(source)
    with source.open() as stream:
        grids = open_workbook(stream, encoding=extra.get("encoding")).grids
    book = Workbook()
    book.remove(book.worksheets[0])
    worksheets = [_copy_grid(book, grid) for grid in grids]
    return _annotate(book, worksheets, extra["annotations"])


def _read_extra(source: AnnotationSource) -> Mapping[str, Any]:
    with source.open_extra() as stream:
        extra: Mapping[str, Any] = json.load(stream)
    return extra


def _copy_grid(book: Workbook, grid: Grid) -> Worksheet:
    """Add a sheet with the values of a grid; what is hidden there is hidden here."""
    worksheet = book.create_sheet(_NOT_IN_NAMES.sub("_", grid.name)[:_MAX_NAME] or "Tally")
    worksheet.sheet_state = "hidden" if grid.hidden else "visible"
    for row in grid.rows:
        if row.hidden:
            worksheet.row_dimensions[row.number].hidden = True
        for column, cell in enumerate(row.cells, start=1):
            if cell is not None:
                _set_value(worksheet.cell(row=row.number, column=column), cell)
    for column in grid.hidden_columns:
        if column < worksheet.max_column:
            worksheet.column_dimensions[column_letters(column)].hidden = True
    return worksheet


def _set_value(target: Any, cell: GridCell) -> None:
    if isinstance(cell.value, str):
        set_xlsx_text(target, cell.value)
        return
    target.value = cell.value
    if cell.number_format:
        target.number_format = cell.number_format


def _annotate(
    book: Workbook, worksheets: Sequence[Worksheet], annotations: Sequence[Annotation]
) -> ReadResult:
    for index, row, column, message in annotations:
        cell = _writable_cell(worksheets[index], row, column)
        text = xlsx_text(message)
        comment = Comment(text, AUTHOR, height=_COMMENT_HEIGHT, width=_COMMENT_WIDTH)
        if cell.comment is not None:
            comment = Comment(f"{text}\n\n{cell.comment.text}", AUTHOR)
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
