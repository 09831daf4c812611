"""Decides what kind a file is: its bytes say so, and its name's ending must agree.

Pure: the first bytes come in, a kind or a sentence goes out.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

# Enough for twenty lines of readings after any header, and for every signature.
HEAD_BYTES: Final = 64 * 1024

PHOTO, DOCUMENT, TEXT, TEMPERATURES = "photo", "document", "text", "temperatures"
TALLY = "tally"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

MEDIA_TYPES: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "gz": "application/gzip",
    "xlsx": WORKBOOK,
}
KINDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "jpg": (PHOTO,),
    "jpeg": (PHOTO,),
    "png": (PHOTO,),
    "webp": (PHOTO,),
    "pdf": (DOCUMENT,),
    "txt": (TEXT, TEMPERATURES),
    "md": (TEXT,),
    "csv": (TEXT, TEMPERATURES, TALLY),
    "gz": (TEMPERATURES,),
    "xlsx": (TALLY,),
}
_PHOTO_OR_PDF_BYTES: Final = 5 * 1024 * 1024
_MAX_STRANGE_SHARE: Final = 0.1
# Sheets of another sort, which whoever made them can save as one that is read.
_OTHER_SHEETS: Final = ("xls", "xlsm", "xlsb", "ods")
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The head of a part in a zip archive: 26 bytes, the last four the lengths of its name and of more.
_ZIP_PART: Final = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Control characters, but for tabs, line ends, form feeds and the escapes of terminals.
_STRANGE_BYTES: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class UnknownKind(Exception):
    """Why a file is refused at the door; the sentence does not name the file, its caller does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """What a file is."""

    kind: str
    media_type: str


def ending_of(name: str) -> str:
    """Return the name's ending in lower case, without the dot; empty where there is none."""
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot and stem else ""


def size_limit(name: str, *, general: int) -> int:
    """Return the most bytes for a file of this name; `general` is for all but photos and PDFs."""
    narrow = {PHOTO, DOCUMENT} & set(KINDS_OF.get(ending_of(name), ()))
    return _PHOTO_OR_PDF_BYTES if narrow else general


def format_size(size: int) -> str:
    """Return a limit as people say it: 5 MB, 10 GB."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def check_ending(name: str, *, asked: str | None) -> None:
    """Raise UnknownKind for a name whose file is refused whatever its bytes are."""
    ending = ending_of(name)
    possible = KINDS_OF.get(ending, ())
    if not possible and asked != TEMPERATURES:
        raise UnknownKind(_no_kind(ending))
    if asked is not None and possible and asked not in possible:
        raise UnknownKind(f"its name ends in “.{ending}”, which is not a file of kind {asked}.")


def detect(
    *, name: str, head: bytes, asked: str | None, sniffers: Mapping[str, Callable[[bytes], bool]]
) -> Detected:
    """Return the kind of a file that is called `name` and begins with `head`.

    `asked` is the kind that the caller named, if any; `sniffers` tell the text kinds apart.
    Raises UnknownKind with a sentence.
    """
    check_ending(name, asked=asked)
    ending = ending_of(name)
    possible = KINDS_OF.get(ending, ())
    media_type = MEDIA_TYPES.get(ending, "text/plain")
    found = _media_type_of(head)
    # At the temperatures' own door a name may end in anything, so an archive is one by its bytes.
    if not possible and found == "application/gzip":
        media_type = found
    if found != ("text/plain" if media_type.startswith("text/") else media_type):
        raise UnknownKind(_disagreement(ending, found))
    if media_type == "application/gzip":
        _refuse_unless_text_inside(head)
        if asked is None and not sniffers[TEMPERATURES](head):
            raise UnknownKind("there are no temperature readings in this archive.")
    elif asked == TEMPERATURES and not _looks_like_utf8(head):
        raise UnknownKind("its text is not UTF-8, as readings are. Save it as UTF-8.")
    elif asked == TALLY and media_type != WORKBOOK and not _looks_like_utf8(head):
        raise UnknownKind("its text is not UTF-8. Save it as “CSV UTF-8”.")
    kind = asked or _kind_by_bytes(possible, head, sniffers)
    return Detected(kind=kind, media_type=media_type)


def looks_like_text(head: bytes) -> bool:
    """Whether bytes read as text in UTF-8, in UTF-16 with its mark, or in an old 8-bit encoding."""
    return (
        _looks_like_utf8(head) or head.startswith(_UTF16_MARKS) or not _STRANGE_BYTES.search(head)
    )


def _looks_like_utf8(head: bytes) -> bool:
    """Whether there are few bytes that text in UTF-8 does not have; some lines may be spoilt."""
    text = head.decode("utf-8", errors="replace")
    strange = text.count("\ufffd") + len(_STRANGE_BYTES.findall(head))
    return strange <= _MAX_STRANGE_SHARE * len(text)


def _kind_by_bytes(
    possible: tuple[str, ...], head: bytes, sniffers: Mapping[str, Callable[[bytes], bool]]
) -> str:
    for kind in possible:
        if kind in sniffers and sniffers[kind](head):
            return kind
    return possible[0]


def _refuse_unless_text_inside(archive: bytes) -> None:
    try:
        inside = zlib.decompressobj(wbits=31).decompress(archive, HEAD_BYTES)
    except zlib.error:
        raise UnknownKind("the archive is damaged.") from None
    if not _looks_like_utf8(inside):
        raise UnknownKind("there is no text in this archive.")


def _media_type_of(head: bytes) -> str:
    """Return the media type by the bytes alone; `text/plain` for every text, "" for the unknown."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"\x1f\x8b"):
        return "application/gzip"
    if head.startswith(b"PK\x03\x04"):
        return WORKBOOK if _holds_workbook(head) else "application/zip"
    if head.startswith(_OLE):
        return "application/x-ole-storage"
    return "text/plain" if looks_like_text(head) else ""


def _holds_workbook(archive: bytes) -> bool:
    """Whether the first parts of an archive are such as a workbook has; the rest is read later.

    Programs put them in any order: where it begins with a large sheet, no more is seen than that.
    """
    names = {
        archive[part.end() : part.end() + int.from_bytes(part[1], "little")]
        for part in _ZIP_PART.finditer(archive)
    }
    if any(name.startswith(b"xl/") for name in names):
        return True
    # What every document of Office begins with, before the parts that tell which one it is.
    return b"[Content_Types].xml" in names and not any(
        name.startswith((b"word/", b"ppt/", b"visio/")) for name in names
    )


def _no_kind(ending: str) -> str:
    if not ending:
        return "without an ending in its name, nobody can tell what it is."
    refusal = f"files ending in “.{ending}” cannot be read here."
    if ending in _OTHER_SHEETS:
        refusal += " Save it as an Excel workbook (.xlsx)."
    return refusal


def _disagreement(ending: str, found: str) -> str:
    if ending == "xlsx" and found == "application/x-ole-storage":
        return "it is locked with a password, or of an old sort. Save it without one, as .xlsx."
    is_called = f"its name ends in “.{ending}”" if ending else "its name has no ending"
    return f"{is_called}, but its bytes are {_described(found)}."


def _described(media_type: str) -> str:
    return {
        "image/jpeg": "a JPEG photo",
        "image/png": "a PNG image",
        "image/webp": "a WebP image",
        "application/pdf": "a PDF",
        "application/gzip": "a gzip archive",
        "application/zip": "a zip archive",
        "application/x-ole-storage": "a document of an old sort",
        WORKBOOK: "an Excel workbook",
        "text/plain": "plain text",
    }.get(media_type, "of no kind that can be read here")
