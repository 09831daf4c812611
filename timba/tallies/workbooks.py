"""Opens a sheet, whatever it was made with, as rows of plain values.

Of a formula it is the value that was kept with it that is read; nothing is computed, no link is
followed, no macro is run.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
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

MAX_PARTS: Final = 1000
MAX_INFLATED: Final = 200 * 1024 * 1024
# Deflate packs zeros 1,032-fold, honest sheets of empty rows about 100-fold.
MAX_RATIO: Final = 500
# Whoever reads a sheet holds all of it, from its first cell to its last.
MAX_CELLS: Final = 5_000_000
AGAIN: Final = "Save it again as an Excel workbook (.xlsx) and upload that."
DAMAGED: Final = f"The workbook is damaged or cut off. {AGAIN}"
LOCKED: Final = "The workbook is locked with a password. Save it without one and upload that."
NO_WORKBOOK: Final = f"It is an archive, but no workbook of Excel's. {AGAIN}"
BINARY: Final = f"It is a binary workbook (.xlsb). {AGAIN}"
MACROS: Final = f"It is a workbook with macros (.xlsm), which are not taken in. {AGAIN}"
BOMB: Final = f"Unpacked, the workbook is larger than can be read. {AGAIN}"
STRANGE_XML: Final = f"The workbook declares entities, which no sheet needs. {AGAIN}"
TOO_WIDE: Final = (
    "A sheet reaches as far as cell {cell}. Delete what lies so far off, save it and upload it."
)
_PIECE: Final = 1024 * 1024
_SMALL: Final = 1024 * 1024
# A tag may be cut in two between pieces: so much of one is looked at again with the next.
_OVERLAP: Final = 256
_DECLARES: Final = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
_FILLED_CELL: Final = re.compile(
    rb'<(?:\w{1,20}:)?c\s[^>]{0,100}?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]{0,100}(?<!/)>'
)
_TYPES: Final = "[Content_Types].xml"

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


def check_workbook(stream: BinaryIO) -> None:
    """Raise FileRefused unless this is a workbook that can be read with reasonable means."""
    try:
        with zipfile.ZipFile(stream) as archive:
            _check_parts(archive)
            _check_sizes(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
        raise FileRefused(DAMAGED) from None


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if len(parts) > MAX_PARTS:
        raise FileRefused(BOMB)
    if any(part.flag_bits & 1 for part in parts):
        raise FileRefused(LOCKED)
    known = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if len(names) != len(parts) or any(part.compress_type not in known for part in parts):
        raise FileRefused(DAMAGED)
    if "xl/workbook.bin" in names:
        raise FileRefused(BINARY)
    if _TYPES not in names or "xl/workbook.xml" not in names:
        raise FileRefused(NO_WORKBOOK)
    with archive.open(_TYPES) as stream:
        types = stream.read(_SMALL)
    if b"macroEnabled" in types or "xl/vbaProject.bin" in names:
        raise FileRefused(MACROS)


def _check_sizes(archive: zipfile.ZipFile) -> None:
    left = MAX_INFLATED
    for part in archive.infolist():
        size, end = 0, b""
        is_xml = part.filename.endswith((".xml", ".rels", ".vml"))
        extent = _Extent() if part.filename.startswith("xl/worksheets/") else None
        with archive.open(part) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                left -= len(piece)
                if left < 0 or size > max(_SMALL, MAX_RATIO * part.compress_size):
                    raise FileRefused(BOMB)
                seen, end = end + piece, piece[-_OVERLAP:]
                if is_xml and any(word in seen for word in _DECLARES):
                    raise FileRefused(STRANGE_XML)
                if extent is not None:
                    extent.look_at(seen)


class _Extent:
    """How far the cells of a sheet reach that hold something."""

    def __init__(self) -> None:
        self._row = 0
        self._columns: set[bytes] = set()

    def look_at(self, xml: bytes) -> None:
        """Take note of the cells in here; raise FileRefused when they reach too far."""
        for column, row in _FILLED_CELL.findall(xml):
            self._columns.add(column)
            self._row = max(self._row, int(row))
        widest = max(self._columns, key=_number, default=b"")
        if self._row * _number(widest) > MAX_CELLS:
            raise FileRefused(TOO_WIDE.format(cell=f"{widest.decode()}{self._row}"))


def _number(column: bytes) -> int:
    """Return which column it is that has these letters: A is 1."""
    number = 0
    for letter in column:
        number = number * 26 + letter - 64
    return number
