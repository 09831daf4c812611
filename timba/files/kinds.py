"""Detects a file's kind from its first bytes, which must agree with the extension of its name.

A pure module: it takes a name and bytes, and returns a kind or raises UnknownKind with a sentence.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from timba.files.heif import HEIC_IS_READ
from timba.files.text_encoding import detect_utf16

# Enough for every signature, and for twenty lines of readings after any header.
HEAD_BYTES: Final = 64 * 1024

PHOTO, DOCUMENT, TEXT, TEMPERATURES = "photo", "document", "text", "temperatures"
TALLY = "tally"
HEIC = "image/heic"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

MEDIA_TYPES: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jfif": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heic": HEIC,
    "heif": HEIC,
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "gz": "application/gzip",
    "xlsx": WORKBOOK,
}
KINDS_BY_EXTENSION: Final[Mapping[str, tuple[str, ...]]] = {
    "jpg": (PHOTO,),
    "jpeg": (PHOTO,),
    "jfif": (PHOTO,),
    "png": (PHOTO,),
    "webp": (PHOTO,),
    **({"heic": (PHOTO,), "heif": (PHOTO,)} if HEIC_IS_READ else {}),
    "pdf": (DOCUMENT,),
    "txt": (TEXT, TEMPERATURES),
    "md": (TEXT,),
    "csv": (TEXT, TEMPERATURES, TALLY),
    "gz": (TEMPERATURES,),
    "xlsx": (TALLY,),
}
_PHOTO_OR_PDF_BYTES: Final = 5 * 1024 * 1024
_MAX_INVALID_SHARE: Final = 0.1
# Spreadsheets in other formats, which a user can save as an Excel workbook.
_OTHER_SPREADSHEETS: Final = ("xls", "xlsm", "xlsb", "ods")
_HEIC_EXTENSIONS: Final = ("heic", "heif", "hif")
_UTF16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A zip archive's local file header (APPNOTE 4.3.7): after the signature 26 bytes, whose last four
# are the lengths of the name and of the extra field.
_ZIP_ENTRY: Final = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_OLE_SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PDF_SIGNATURE: Final = b"%PDF-"
# ISO 32000-1, annex H, note 13.
_PDF_HEADER_BYTES: Final = 1024
# ISO/IEC 23008-12, annex B: brands of HEIF whose pictures are coded as HEVC.
_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
RENAME_TO_HEIC: Final = "Rename it to end in “.heic”."
SEND_AS_JPEG: Final = (
    "On an iPhone choose Settings > Camera > Formats > Most Compatible, or send it as JPEG."
)
# Control characters except tabs, line ends, form feeds and ESC, which starts terminal sequences.
_CONTROL_BYTES: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# A logger that lost power leaves blocks of zeros in its file, each of which damages one line.
_NUL_RUN: Final = re.compile(rb"\x00{16,}")
_MAX_NUL_RUNS: Final = 4


class UnknownKind(Exception):
    """A file is not accepted; the sentence leaves it to the caller to name the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """The detected kind and media type of a file."""

    kind: str
    media_type: str


def extension_of(name: str) -> str:
    """Return the name's extension in lower case, without the dot; empty where there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def size_limit(name: str, *, general: int) -> int:
    """Return the maximum size in bytes by a file's name: `general` except for photos and PDFs."""
    limited = {PHOTO, DOCUMENT} & set(KINDS_BY_EXTENSION.get(extension_of(name), ()))
    return _PHOTO_OR_PDF_BYTES if limited else general


def format_size(size: int) -> str:
    """Return a number of bytes for people to read: 5 MB, 10 GB."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def check_extension(name: str, *, requested: str | None) -> None:
    """Raise UnknownKind for a name whose file cannot be accepted, whatever its bytes are."""
    extension = extension_of(name)
    possible = KINDS_BY_EXTENSION.get(extension, ())
    if not possible and requested != TEMPERATURES:
        raise UnknownKind(_unsupported_reason(extension))
    if requested is not None and possible and requested not in possible:
        raise UnknownKind(
            f"its name ends in “.{extension}”, which is not a file of kind {requested}."
        )


def detect(
    *,
    name: str,
    head: bytes,
    requested: str | None,
    sniffers: Mapping[str, Callable[[bytes], bool]],
) -> Detected:
    """Return the kind of a file that is called `name` and begins with `head`.

    `requested` is the kind that the caller chose, if any. `sniffers` tell the kinds of text
    apart. Raises UnknownKind with a sentence.
    """
    check_extension(name, requested=requested)
    extension = extension_of(name)
    possible = KINDS_BY_EXTENSION.get(extension, ())
    media_type = MEDIA_TYPES.get(extension, "text/plain")
    detected = _media_type_of(head)
    # Mail programs and scanners write lines before a PDF: its header may stand further on.
    if media_type == "application/pdf" and _PDF_SIGNATURE in head[:_PDF_HEADER_BYTES]:
        detected = media_type
    # Temperature files may have any extension, so their bytes alone tell whether they are gzipped.
    if not possible and detected == "application/gzip":
        media_type = detected
    if detected != ("text/plain" if media_type.startswith("text/") else media_type):
        raise UnknownKind(_mismatch_reason(extension, detected))
    if media_type == "application/gzip":
        _check_text_inside(head)
        if requested is None and not sniffers[TEMPERATURES](head):
            raise UnknownKind("there are no temperature readings in this archive.")
    kind = requested or _kind_by_bytes(possible, head, sniffers)
    return Detected(kind=kind, media_type=media_type)


def looks_like_text(head: bytes) -> bool:
    """Return whether bytes are text in UTF-8, in UTF-16, or in an 8-bit encoding."""
    return (
        _looks_like_utf8(head)
        or head.startswith(_UTF16_BOMS)
        or detect_utf16(head) is not None
        or not _CONTROL_BYTES.search(head)
    )


def _looks_like_utf8(head: bytes) -> bool:
    """Return whether at most a tenth is invalid in UTF-8 text: some lines may be damaged."""
    head = _NUL_RUN.sub(b"\0", head, count=_MAX_NUL_RUNS)
    text = head.decode("utf-8", errors="replace")
    invalid = text.count("\ufffd") + len(_CONTROL_BYTES.findall(head))
    return invalid <= _MAX_INVALID_SHARE * len(text)


def _kind_by_bytes(
    possible: tuple[str, ...], head: bytes, sniffers: Mapping[str, Callable[[bytes], bool]]
) -> str:
    for kind in possible:
        if kind in sniffers and sniffers[kind](head):
            return kind
    return possible[0]


def _check_text_inside(archive: bytes) -> None:
    try:
        inside = zlib.decompressobj(wbits=31).decompress(archive, HEAD_BYTES)
    except zlib.error:
        raise UnknownKind("the archive is damaged.") from None
    if not looks_like_text(inside):
        raise UnknownKind("there is no text in this archive.")


def is_gzip(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a gzip archive."""
    return head.startswith(b"\x1f\x8b")


def _media_type_of(head: bytes) -> str:
    """Return the media type by the bytes alone: `text/plain` for any text, "" if unknown."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(_PDF_SIGNATURE):
        return "application/pdf"
    if is_gzip(head):
        return "application/gzip"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return HEIC
    if head.startswith(b"PK\x03\x04"):
        return WORKBOOK if _is_workbook(head) else "application/zip"
    if head.startswith(_OLE_SIGNATURE):
        return "application/x-ole-storage"
    return "text/plain" if looks_like_text(head) else ""


def _is_workbook(archive: bytes) -> bool:
    """Return whether the entries at the start of a zip archive are those of a workbook.

    Programs write the entries in any order, and a large sheet at the start hides the others.
    """
    names = {
        archive[entry.end() : entry.end() + int.from_bytes(entry[1], "little")]
        for entry in _ZIP_ENTRY.finditer(archive)
    }
    if any(name.startswith(b"xl/") for name in names):
        return True
    # Every Office document has this entry; the other names tell which application it belongs to.
    return b"[Content_Types].xml" in names and not any(
        name.startswith((b"word/", b"ppt/", b"visio/")) for name in names
    )


def _unsupported_reason(extension: str) -> str:
    if not extension:
        return "the file name has no extension."
    reason = f"files ending in “.{extension}” cannot be read here."
    if extension in _OTHER_SPREADSHEETS:
        reason += " Save it as an Excel workbook (.xlsx)."
    if extension in _HEIC_EXTENSIONS:
        reason += f" {SEND_AS_JPEG}"
    return reason


def _mismatch_reason(extension: str, detected: str) -> str:
    if extension == "xlsx" and detected == "application/x-ole-storage":
        return "it is locked with a password, or in an old format. Save it without one, as .xlsx."
    name = f"its name ends in “.{extension}”" if extension else "its name has no extension"
    advice = f" {RENAME_TO_HEIC if HEIC_IS_READ else SEND_AS_JPEG}" if detected == HEIC else ""
    return f"{name}, but its bytes are {_describe(detected)}.{advice}"


def _describe(media_type: str) -> str:
    return {
        "image/jpeg": "a JPEG photo",
        "image/png": "a PNG image",
        "image/webp": "a WebP image",
        HEIC: "a HEIC photo",
        "application/pdf": "a PDF",
        "application/gzip": "a gzip archive",
        "application/zip": "a zip archive",
        "application/x-ole-storage": "a document in an old format",
        WORKBOOK: "an Excel workbook",
        "text/plain": "plain text",
    }.get(media_type, "of no kind that can be read here")
