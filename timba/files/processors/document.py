"""Reads PDFs in the sandbox: the number of pages, the metadata, and the amount of text."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta, timezone
from typing import Final

import pypdfium2 as pdfium

from timba.files.processors.base import FileRefused, Findings, Processor, Source
from timba.serialization import format_utc

MAX_PAGES: Final = 5000
LOCKED: Final = "The PDF is locked with a password. Save it without one and upload that."
DAMAGED: Final = "The PDF is damaged or cut off. Save it again and upload that."
# ISO 32000-1, 7.9.4: D:YYYYMMDDHHmmSSOHH'mm, where everything after the year is optional.
_DATE: Final = re.compile(
    r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([Z+-])(?:(\d\d)'?(\d\d)?)?)?"
)


def read_document(source: Source) -> Findings:
    """Return `pages`, `title`, `author`, `created_at` and `text_chars`.

    Raises FileRefused for a PDF that is damaged, locked, or of more than 5,000 pages.
    """
    with source.open() as stream:
        content = stream.read()
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        raise FileRefused(LOCKED if locked else DAMAGED) from None
    with contextlib.closing(document):
        pages = len(document)
        if pages > MAX_PAGES:
            raise FileRefused(f"The PDF has {pages} pages; {MAX_PAGES} is the most.")
        metadata = document.get_metadata_dict()
        return {
            "pages": pages,
            "title": metadata.get("Title") or None,
            "author": metadata.get("Author") or None,
            "created_at": _parse_date(metadata.get("CreationDate") or ""),
            "text_chars": sum(_count_characters(document, number) for number in range(pages)),
        }


def _count_characters(document: pdfium.PdfDocument, number: int) -> int:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return 0
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        count: int = text.count_chars()
        return max(count, 0)


def _parse_date(text: str) -> str | None:
    """Return a PDF date in UTC as ISO 8601; None where it is not one. No offset means UTC."""
    match = _DATE.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(part) if part else default
        for part, default in zip(match.groups()[:6], (0, 1, 1, 0, 0, 0), strict=True)
    )
    sign = -1 if match[7] == "-" else 1
    offset = sign * timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
        return format_utc(moment)
    return None


PROCESSOR = Processor(kind="document", read=read_document)
