"""A PDF's title, author and time of creation, as its programs wrote them: facts, or nothing.

They stand in the document information or, in PDF 2.0, in an XMP packet of XML. A pure module,
which runs in the sandbox.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from xml.etree.ElementTree import Element, ParseError

import pikepdf
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from timba.files.text_encoding import detect_single_byte, sample_words
from timba.serialization import format_local, format_utc

_BOMS: Final = ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"), (b"\xef\xbb\xbf", "utf-8"))
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_TITLE: Final = "{http://purl.org/dc/elements/1.1/}title"
_CREATOR: Final = "{http://purl.org/dc/elements/1.1/}creator"
_CREATED: Final = "{http://ns.adobe.com/xap/1.0/}CreateDate"
# ISO 32000-2, 7.9.4: D:YYYYMMDDHHmmSSOHH'mm. Programs leave out `D:`, or write ISO 8601. Other
# lengths have lost a zero somewhere, or leave the day open.
_DATE: Final = re.compile(
    r"\s*\(?(?:D:)?\s*(\d{4})(?:"
    r"(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?(?!\d)"
    r"|[-/](\d\d?)[-/](\d\d?)(?!\d)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?(?:[.,]\d+)?(?!\d))?"
    r")\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_OFFSET: Final = re.compile(r"([+-])(\d\d?)(?:['’:]?(\d\d))?(?!\d)")
_UTC: Final = re.compile(r"(?:Z|UTC|GMT)(?![A-Z])", re.IGNORECASE)
_FIRST_YEAR: Final = 1900
_WEST, _EAST = -timedelta(hours=12), timedelta(hours=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class PdfMetadata:
    """`created_at` ends in `Z` where the offset from UTC is known."""

    title: str | None = None
    author: str | None = None
    created_at: str | None = None


def read_metadata(content: bytes) -> PdfMetadata:
    """Return what the PDF says; nothing of a PDF that only other programs can open."""
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            packet = _read_packet(document)
            information = document.trailer.get("/Info")
            if not isinstance(information, pikepdf.Dictionary):
                return packet
            return PdfMetadata(
                title=_text(information.get("/Title")) or packet.title,
                author=_text(information.get("/Author")) or packet.author,
                created_at=parse_date(_text(information.get("/CreationDate"))) or packet.created_at,
            )
    except (pikepdf.PdfError, ValueError, TypeError, NotImplementedError):
        return PdfMetadata()


def _text(value: object) -> str:
    """Return a text string; one that breaks the standard in the encoding that it is in."""
    return _clean(_decode(bytes(value))) if isinstance(value, pikepdf.String) else ""


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _decode(raw: bytes) -> str:
    for mark, marked in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(marked, "replace").rstrip("\ufffd")
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode("utf-8")
    encoding = detect_single_byte(sample_words([raw])) or "cp1252"
    # PDFDocEncoding has the letters of Windows-1252, and other signs.
    if encoding == "cp1252":
        return str(pikepdf.String(raw))
    return raw.decode(encoding, "replace")


def _read_packet(document: pikepdf.Pdf) -> PdfMetadata:
    metadata = document.Root.get("/Metadata")
    if not isinstance(metadata, pikepdf.Stream):
        return PdfMetadata()
    try:
        root = fromstring(metadata.read_bytes().strip(b" \r\n\t\0"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, pikepdf.PdfError):
        return PdfMetadata()
    return PdfMetadata(
        title=_clean(_first(_values(root, _TITLE))) or None,
        author=_clean(", ".join(_values(root, _CREATOR))) or None,
        created_at=parse_date(_first(_values(root, _CREATED))),
    )


def _values(root: Element, name: str) -> list[str]:
    """Return a property's values: of list items, of an element, or of an attribute."""
    for description in root.iter(f"{_RDF}Description"):
        if name in description.attrib:
            return [description.attrib[name]]
        element = description.find(name)
        if element is not None:
            items = list(element.iter(f"{_RDF}li")) or [element]
            return [text for item in items if (text := (item.text or "").strip())]
    return []


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def parse_date(text: str) -> str | None:
    """Return a date as ISO 8601, in UTC where its offset is there; None where it is in doubt."""
    match = _DATE.fullmatch(text)
    if match is None or (match[4] is match[9] is None and match[12]):
        return None
    digits = match.groups()[1:6] if match[2] else match.groups()[6:11]
    month, day, hour, minute, second = (int(part or 0) for part in digits)
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime(int(match[1]), month, day, hour, minute, second)  # noqa: DTZ001 - local
        if moment.year < _FIRST_YEAR:
            return None
        zone = _parse_zone(match[12])
        return format_utc(moment.replace(tzinfo=zone)) if zone else format_local(moment)
    return None


def _parse_zone(text: str) -> timezone | None:
    """Return the offset behind a date; raise ValueError for one that no clock has."""
    if _UTC.match(text):
        return UTC
    match = _OFFSET.match(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    offset = -offset if match[1] == "-" else offset
    if not _WEST <= offset <= _EAST:
        raise ValueError(text)
    return timezone(offset)
