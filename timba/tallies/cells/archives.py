"""Refuses workbooks that are attacks, before anything in them is parsed.

A workbook is a ZIP archive: decompression bombs, entities in its XML, macros, encryption and parts
that no workbook has are refused with a sentence. What is wrong with a sheet, its reader says.

Runs in the sandbox.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO, Final

from timba.files.processors.base import FileRefused

# Parts (files) in the archive, and bytes of all of them when decompressed.
MAX_PARTS: Final = 1000
MAX_INFLATED: Final = 200 * 1024 * 1024
# Compression ratio of a part. Deflate compresses zeros 1,032-fold, a sheet of empty rows 100-fold.
MAX_RATIO: Final = 500

AGAIN: Final = "Save it again as an Excel workbook (.xlsx) and upload that."
DAMAGED: Final = f"The workbook is damaged or cut off. {AGAIN}"
LOCKED: Final = "The workbook is locked with a password. Save it without one and upload that."
NO_WORKBOOK: Final = f"It is an archive, but not an Excel workbook. {AGAIN}"
BINARY: Final = f"It is a binary workbook (.xlsb). {AGAIN}"
MACROS: Final = f"It is a workbook with macros (.xlsm), which Timba does not accept. {AGAIN}"
BOMB: Final = f"Unpacked, the workbook is larger than can be read. {AGAIN}"
STRANGE_XML: Final = f"The workbook declares entities, which no sheet needs. {AGAIN}"

_ZIP_SIGNATURE: Final = b"PK\x03\x04"
_CONTENT_TYPES: Final = "[Content_Types].xml"
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
    """Decompress every part a chunk at a time, and check its size and its XML.

    The sizes in the headers are not trusted.
    """
    bytes_left = MAX_INFLATED
    for part in archive.infolist():
        size, end = 0, b""
        is_xml = part.filename.endswith((".xml", ".rels", ".vml"))
        with archive.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                bytes_left -= len(chunk)
                if bytes_left < 0 or size > max(_SMALL, MAX_RATIO * part.compress_size):
                    raise FileRefused(BOMB)
                searched, end = end + chunk, chunk[-_OVERLAP:]
                if is_xml and any(word in searched for word in _DECLARATIONS):
                    raise FileRefused(STRANGE_XML)
