"""Reads PDFs in the sandbox: the number of pages, the metadata, and the amount of text."""

from __future__ import annotations

import contextlib
from typing import Final

import pypdfium2 as pdfium
from pypdfium2.raw import FORMTYPE_XFA_FULL

from timba.files.processors.base import FileRefused, Findings, Processor, Source
from timba.files.processors.pdf_metadata import read_metadata

MAX_PAGES: Final = 5000
LOCKED: Final = "The PDF is locked with a password. Save it without one and upload that."
DAMAGED: Final = "The PDF is damaged or cut off. Save it again and upload that."
# The page that a form shows where the program cannot draw it.
_PLACEHOLDER: Final = "If this message is not eventually replaced by the proper contents"
_PLACEHOLDER_CHARACTERS: Final = 200
NEEDS_ADOBE_READER: Final = (
    "This form shows only in Adobe Reader: what is here is the page that asks to wait. "
    "Open it there, print it to a PDF and upload that."
)


def read_document(source: Source) -> Findings:
    """Return `pages`, `title`, `author`, `created_at` and `text_chars`.

    Of a form that only Adobe Reader can draw `text_chars` is None, and `warnings` says so.
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
        metadata = read_metadata(content)
        findings = {
            "pages": pages,
            "title": metadata.title,
            "author": metadata.author,
            "created_at": metadata.created_at,
        }
        if _is_placeholder(document):
            warning = {"code": "needs_adobe_reader", "sentence": NEEDS_ADOBE_READER, "count": 1}
            return {**findings, "text_chars": None, "warnings": [warning]}
        characters = sum(_count_characters(document, number) for number in range(pages))
        return {**findings, "text_chars": characters}


def _is_placeholder(document: pdfium.PdfDocument) -> bool:
    """Return whether the pages stand in for a form that the program draws (XFA, dynamic)."""
    if document.get_formtype() == FORMTYPE_XFA_FULL:
        return True
    try:
        page = document[0]
    except (pdfium.PdfiumError, IndexError):
        return False
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        begins: str = text.get_text_range(0, _PLACEHOLDER_CHARACTERS)
        return _PLACEHOLDER in " ".join(begins.split())


def _count_characters(document: pdfium.PdfDocument, number: int) -> int:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return 0
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        count: int = text.count_chars()
        return max(count, 0)


PROCESSOR = Processor(kind="document", read=read_document)
