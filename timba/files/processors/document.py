"""Reads PDFs: how many pages, who wrote it, how much text can be searched. Runs in the sandbox."""

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
# PDF 32000-1, 7.9.4: D:YYYYMMDDHHmmSSOHH'mm, everything behind the year may be missing.
_DATE: Final = re.compile(
    r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([Z+-])(?:(\d\d)'?(\d\d)?)?)?"
)


def read_document(source: Source) -> Findings:
    """Return `pages`, `title`, `author`, `created_at` and `text_chars`."""
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
        facts = document.get_metadata_dict()
        return {
            "pages": pages,
            "title": facts.get("Title") or None,
            "author": facts.get("Author") or None,
            "created_at": _moment(facts.get("CreationDate") or ""),
            "text_chars": sum(_characters(document, number) for number in range(pages)),
        }


def _characters(document: pdfium.PdfDocument, number: int) -> int:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return 0
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        count: int = text.count_chars()
        return max(count, 0)


def _moment(text: str) -> str | None:
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(part) if part else default
        for part, default in zip(found.groups()[:6], (0, 1, 1, 0, 0, 0), strict=True)
    )
    sign = -1 if found[7] == "-" else 1
    offset = sign * timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
        return format_utc(moment)
    return None


PROCESSOR = Processor(kind="document", read=read_document)
