"""Refuses a workbook that is a bomb, or none, before anything else reads it.

It is unpacked once from end to end, a piece at a time, and thrown away: what a part really holds
counts, not what its header says.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import BinaryIO, Final

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
