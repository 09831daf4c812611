"""Opens a sheet, whatever it was made with, as rows of plain values.

Of a formula it is the value that was kept with it that is read; nothing is computed, no link is
followed, no macro is run.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
)

from timba.files.processors.base import FileRefused
from timba.files.sheets.guard import DAMAGED, LOCKED, check_workbook

MAX_COLUMNS: Final = 16_384
_MARK_OF_WORKBOOKS: Final = b"PK\x03\x04"
_DELIMITERS: Final = (";", "\t", ",")
# What `'` keeps from being a formula in a sheet; Timba's own exports put it there.
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r＝＋－＠]")

NOT_UTF8: Final = "Row {row} is not UTF-8 text. Save it as CSV UTF-8 and upload that."
TOO_LONG: Final = "Row {row} is too long for a sheet."
BAD_QUOTE: Final = "In row {row}, a quotation mark stands alone. Close it, or double it."


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One sheet: its rows, from row 1 on, and the column that their first cells stand in."""

    name: str
    first_column: int
    rows: Iterator[Sequence[Any]]


def open_sheets(stream: BinaryIO) -> Iterator[Sheet]:
    """Yield each sheet that a person sees; of a CSV, what it is with each delimiter.

    Raises FileRefused for what is neither.
    """
    return _sheets_of_workbook(stream) if is_workbook(stream) else _sheets_of_csv(stream)


def is_workbook(stream: BinaryIO) -> bool:
    """Whether this is a workbook, and no CSV."""
    head = stream.read(len(_MARK_OF_WORKBOOKS))
    stream.seek(0)
    return head == _MARK_OF_WORKBOOKS


def _sheets_of_workbook(stream: BinaryIO) -> Iterator[Sheet]:
    check_workbook(stream)
    stream.seek(0)
    try:
        with CalamineWorkbook.from_filelike(stream) as workbook:
            for number, about in enumerate(workbook.sheets_metadata):
                if about.visible == SheetVisibleEnum.Visible:
                    sheet = workbook.get_sheet_by_index(number)
                    first_column = sheet.start[1] if sheet.start else 0
                    rows = iter(sheet.iter_rows())
                    yield Sheet(name=about.name, first_column=first_column, rows=rows)
    except PasswordError:
        raise FileRefused(LOCKED) from None
    except CalamineError:
        raise FileRefused(DAMAGED) from None


def _sheets_of_csv(stream: BinaryIO) -> Iterator[Sheet]:
    content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as stumble:
        row = content.count(b"\n", 0, stumble.start) + 1
        raise FileRefused(NOT_UTF8.format(row=row)) from None
    problem = ""
    for delimiter in _DELIMITERS:
        try:
            records = _records(text, delimiter)
        except FileRefused as refusal:
            problem = str(refusal)
        else:
            yield Sheet(name="", first_column=0, rows=iter(records))
    # Nobody found a tally in the others: this delimiter is the one that was meant.
    if problem:
        raise FileRefused(problem)


def _records(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise FileRefused(TOO_LONG.format(row=len(records) + 1))
            records.append([_unguarded(cell) for cell in cells])
    except csv.Error as stumble:
        sentence = TOO_LONG if "limit" in str(stumble) else BAD_QUOTE
        raise FileRefused(sentence.format(row=len(records) + 1)) from None
    return records


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell
