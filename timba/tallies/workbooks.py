"""Opens an uploaded XLSX or CSV as sheets of plain values, and refuses workbooks that are attacks.

Of a formula, the value stored with it is read: nothing is computed, no link is followed and no
macro is run. Before a workbook is parsed, its ZIP archive is checked: decompression bombs, entities
in its XML, macros, encryption and cells too far away are refused with a sentence.

Runs in the sandbox.
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
from timba.tallies.barcode_cells import unescape_barcode

# Parts (files) in the archive, and bytes of all of them when decompressed.
MAX_PARTS: Final = 1000
MAX_INFLATED: Final = 200 * 1024 * 1024
# Compression ratio of a part. Deflate compresses zeros 1,032-fold, a sheet of empty rows 100-fold.
MAX_RATIO: Final = 500
# Cells from the first to the last of a sheet: the reader holds all of them in memory.
MAX_CELLS: Final = 5_000_000
# Columns in a row of a CSV, as many as Excel allows.
MAX_COLUMNS: Final = 16_384

AGAIN: Final = "Save it again as an Excel workbook (.xlsx) and upload that."
DAMAGED: Final = f"The workbook is damaged or cut off. {AGAIN}"
LOCKED: Final = "The workbook is locked with a password. Save it without one and upload that."
NO_WORKBOOK: Final = f"It is an archive, but not an Excel workbook. {AGAIN}"
BINARY: Final = f"It is a binary workbook (.xlsb). {AGAIN}"
MACROS: Final = f"It is a workbook with macros (.xlsm), which Timba does not accept. {AGAIN}"
BOMB: Final = f"Unpacked, the workbook is larger than can be read. {AGAIN}"
STRANGE_XML: Final = f"The workbook declares entities, which no sheet needs. {AGAIN}"
TOO_WIDE: Final = (
    "A sheet reaches as far as cell {cell}. "
    "Delete the cells that are so far away, save it and upload it."
)
NOT_UTF8: Final = "Row {row} is not UTF-8 text. Save it as CSV UTF-8 and upload that."
TOO_LONG: Final = "Row {row} is too long for a sheet."
BAD_QUOTE: Final = "In row {row}, a quotation mark stands alone. Close it, or double it."

_ZIP_SIGNATURE: Final = b"PK\x03\x04"
_CONTENT_TYPES: Final = "[Content_Types].xml"
_DELIMITERS: Final = (";", "\t", ",")
# Bytes decompressed at a time, and bytes up to which a part's compression ratio is not checked.
_CHUNK: Final = 1024 * 1024
_SMALL: Final = 1024 * 1024
# A tag may be cut in two by the end of a chunk, so its last bytes are searched again with the next.
_OVERLAP: Final = 256
_DECLARATIONS: Final = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
_FILLED_CELL: Final = re.compile(
    rb'<(?:\w{1,20}:)?c\s[^>]{0,100}?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]{0,100}(?<!/)>'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One sheet: its rows from row 1 on, and the index of the column of their first cells."""

    name: str
    first_column: int
    rows: Iterator[Sequence[Any]]


def open_sheets(stream: BinaryIO) -> Iterator[Sheet]:
    """Yield each visible sheet of a workbook, or a CSV as parsed with each possible delimiter.

    Raises FileRefused for a file that is neither, or that cannot be read safely.
    """
    return _open_workbook(stream) if is_workbook(stream) else _open_csv(stream)


def is_workbook(stream: BinaryIO) -> bool:
    """Return whether a stream holds a workbook rather than a CSV; leave it at its start."""
    head = stream.read(len(_ZIP_SIGNATURE))
    stream.seek(0)
    return head == _ZIP_SIGNATURE


def check_workbook(stream: BinaryIO) -> None:
    """Raise FileRefused unless the stream holds a workbook that can be read safely."""
    try:
        with zipfile.ZipFile(stream) as archive:
            _check_parts(archive)
            _check_contents(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
        raise FileRefused(DAMAGED) from None


def _open_workbook(stream: BinaryIO) -> Iterator[Sheet]:
    check_workbook(stream)
    stream.seek(0)
    try:
        with CalamineWorkbook.from_filelike(stream) as workbook:
            for index, metadata in enumerate(workbook.sheets_metadata):
                if metadata.visible == SheetVisibleEnum.Visible:
                    sheet = workbook.get_sheet_by_index(index)
                    first_column = sheet.start[1] if sheet.start else 0
                    rows = iter(sheet.iter_rows())
                    yield Sheet(name=metadata.name, first_column=first_column, rows=rows)
    except PasswordError:
        raise FileRefused(LOCKED) from None
    except CalamineError:
        raise FileRefused(DAMAGED) from None


def _open_csv(stream: BinaryIO) -> Iterator[Sheet]:
    content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(NOT_UTF8.format(row=row)) from None
    message = ""
    for delimiter in _DELIMITERS:
        try:
            rows = _parse_csv(text, delimiter)
        except FileRefused as refusal:
            message = str(refusal)
        else:
            yield Sheet(name="", first_column=0, rows=iter(rows))
    # The caller found no tally with the other delimiters, so the one that failed was meant.
    if message:
        raise FileRefused(message)


def _parse_csv(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise FileRefused(TOO_LONG.format(row=len(rows) + 1))
            # An export of Timba may have been edited and uploaded.
            rows.append([unescape_barcode(cell) for cell in cells])
    except csv.Error as error:
        sentence = TOO_LONG if "limit" in str(error) else BAD_QUOTE
        raise FileRefused(sentence.format(row=len(rows) + 1)) from None
    return rows


def _check_parts(archive: zipfile.ZipFile) -> None:
    """Check the names and headers of the parts."""
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if len(parts) > MAX_PARTS:
        raise FileRefused(BOMB)
    # Bit 0 of the flags: the part is encrypted.
    if any(part.flag_bits & 1 for part in parts):
        raise FileRefused(LOCKED)
    known = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if len(names) != len(parts) or any(part.compress_type not in known for part in parts):
        raise FileRefused(DAMAGED)
    if "xl/workbook.bin" in names:
        raise FileRefused(BINARY)
    if _CONTENT_TYPES not in names or "xl/workbook.xml" not in names:
        raise FileRefused(NO_WORKBOOK)
    with archive.open(_CONTENT_TYPES) as stream:
        types = stream.read(_SMALL)
    if b"macroEnabled" in types or "xl/vbaProject.bin" in names:
        raise FileRefused(MACROS)


def _check_contents(archive: zipfile.ZipFile) -> None:
    """Decompress every part a chunk at a time, and check its size, its XML and its cells.

    The sizes in the headers are not trusted.
    """
    bytes_left = MAX_INFLATED
    for part in archive.infolist():
        size, end = 0, b""
        is_xml = part.filename.endswith((".xml", ".rels", ".vml"))
        extent = _Extent() if part.filename.startswith("xl/worksheets/") else None
        with archive.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                bytes_left -= len(chunk)
                if bytes_left < 0 or size > max(_SMALL, MAX_RATIO * part.compress_size):
                    raise FileRefused(BOMB)
                searched, end = end + chunk, chunk[-_OVERLAP:]
                if is_xml and any(word in searched for word in _DECLARATIONS):
                    raise FileRefused(STRANGE_XML)
                if extent is not None:
                    extent.add_cells(searched)


class _Extent:
    """The last row and the columns of the filled cells of a sheet."""

    def __init__(self) -> None:
        self._last_row = 0
        self._columns: set[bytes] = set()

    def add_cells(self, xml: bytes) -> None:
        """Add the filled cells in a chunk of XML; raise FileRefused if the sheet gets too large."""
        for column, row in _FILLED_CELL.findall(xml):
            self._columns.add(column)
            self._last_row = max(self._last_row, int(row))
        last_column = max(self._columns, key=_column_number, default=b"")
        if self._last_row * _column_number(last_column) > MAX_CELLS:
            raise FileRefused(TOO_WIDE.format(cell=f"{last_column.decode()}{self._last_row}"))


def _column_number(letters: bytes) -> int:
    """Return the number of the column with these letters: 1 for A."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
