"""Reads PDFs in the sandbox: the number of pages, the metadata and the text; draws pages."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Protocol

import pypdfium2 as pdfium
from pypdfium2.raw import FORMTYPE_XFA_FULL

from timba.files.processors.base import FileRefused, Processor, ReadResult, Source
from timba.files.processors.pdf_metadata import read_metadata
from timba.files.processors.pictures import MAX_SIZE, SIZES, encode_previews
from timba.files.processors.text_collector import MAX_TEXT, TextCollector

MAX_PAGES: Final = 5000
LOCKED: Final = "The PDF is locked with a password. Save it without one and upload that."
DAMAGED: Final = "The PDF is damaged or cut off. Save it again and upload that."
# The page that a form shows where the program cannot draw it.
_PLACEHOLDER: Final = "If this message is not eventually replaced by the proper contents"
_PLACEHOLDER_CHARACTERS: Final = 200
NOT_DRAWN: Final = "The page cannot be drawn."
_FIRST_PAGE: Final[Mapping[str, Any]] = {"page": 1, "sizes": SIZES}
# Rounding up must not make a side a pixel longer.
_BELOW_ONE: Final = 1 - 1e-6
NEEDS_ADOBE_READER: Final = (
    "This form shows only in Adobe Reader: what is here is the page that asks to wait. "
    "Open it there, print it to a PDF and upload that."
)
# How PDFium marks a hyphen at the end of a line, and what it writes between two lines.
_HYPHENATION: Final = re.compile("[\x02\ufffe\xad](\r?\n)?")


class PageSource(Source, Protocol):
    """A PDF, with an extra input: JSON of `{"page": number from 1, "sizes": [pixels]}`, or none.

    Without, it is the first page in all sizes.
    """

    def open_extra(self) -> BinaryIO: ...


def read_document(source: Source) -> ReadResult:
    """Return `pages`, `title`, `author`, `created_at` and `text_chars`, and the text.

    Of a form that only Adobe Reader can draw `text_chars` is None, and `warnings` says so.
    Raises FileRefused for a PDF that is damaged, locked, or of more than 5,000 pages.
    """
    with source.open() as stream:
        content = stream.read()
    with contextlib.closing(open_pdf(content)) as document:
        pages = len(document)
        if pages > MAX_PAGES:
            raise FileRefused(f"The PDF has {pages} pages; {MAX_PAGES} is the most.")
        metadata = read_metadata(content)
        findings: dict[str, Any] = {
            "pages": pages,
            "title": metadata.title,
            "author": metadata.author,
            "created_at": metadata.created_at,
        }
        if _is_placeholder(document):
            warning = {"code": "needs_adobe_reader", "sentence": NEEDS_ADOBE_READER, "count": 1}
            findings |= {"text_chars": None, "warnings": [warning]}
            return ReadResult(findings=findings, objects=TextCollector().as_object())
        text = TextCollector()
        characters = sum(_read_page(document, number, text) for number in range(pages))
        findings["text_chars"] = characters
        return ReadResult(findings=findings, objects=text.as_object())


def draw_page(source: PageSource) -> ReadResult:
    """Return previews of a page as objects; raise FileRefused where it cannot be drawn.

    Whatever the size of the page is, it is drawn with 1,024 pixels on its longest side.
    """
    with source.open() as stream, source.open_extra() as extra_stream:
        content, extra = stream.read(), extra_stream.read()
    asked = json.loads(extra) if extra else _FIRST_PAGE
    with contextlib.closing(open_pdf(content)) as document:
        document.init_forms()  # without, what was filled into a form is not drawn
        try:
            page = document[asked["page"] - 1]
            scale = MAX_SIZE * _BELOW_ONE / max(page.get_size())
            picture = page.render(scale=scale).to_pil().convert("RGB")
        except (pdfium.PdfiumError, IndexError, ArithmeticError, ValueError):
            raise FileRefused(NOT_DRAWN) from None
        return ReadResult(findings={}, objects=encode_previews(picture, asked["sizes"]))


def open_pdf(content: bytes) -> pdfium.PdfDocument:
    """Open a PDF; raise FileRefused for one that is damaged or locked."""
    try:
        return pdfium.PdfDocument(content)
    except pdfium.PdfiumError:
        raise FileRefused(LOCKED if _is_locked(content) else DAMAGED) from None


def _is_locked(content: bytes) -> bool:
    """Return whether a PDF that cannot be opened needs a password.

    PDFium does not tell a reason for every damage: the last one told, of another file, still stands
    then. So a file without any content comes before this one.
    """
    reason = ""
    for each in (b"", content):
        try:
            pdfium.PdfDocument(each).close()
        except pdfium.PdfiumError as error:
            reason = str(error)
    return "password" in reason.lower()


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


def _read_page(document: pdfium.PdfDocument, number: int, collected: TextCollector) -> int:
    """Collect the text of a page, as long as there is room; return how many characters it has."""
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return 0
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        count: int = max(text.count_chars(), 0)
        if count and not collected.is_full:
            collected.add(_HYPHENATION.sub("", text.get_text_range(0, min(count, MAX_TEXT))) + "\n")
        return count


PROCESSOR = Processor(
    kind="document", read=read_document, makes_previews=True, draw=draw_page, keeps_text=True
)
