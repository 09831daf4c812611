"""Reads the text in pictures with Tesseract, in a sandbox child of its own (see `timba.files.ocr`).

A picture is a photo, or a page of a PDF without text of its own: a scan, even one with a stamp or a
page number. Of a picture that is no paper, such as a photo of a log stack, nothing is returned:
Tesseract takes rows of sticks or blades of grass for words, but is not confident of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any, BinaryIO, Final, Protocol

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2.raw import FPDF_PAGEOBJ_FORM, FPDF_PAGEOBJ_IMAGE, FPDFPage_CountObjects

from timba.files.processors.base import FileRefused, Findings, ReadResult, Source
from timba.files.processors.document import NOT_DRAWN, open_pdf
from timba.files.processors.exif import read_camera
from timba.files.processors.photo import (
    DAMAGED,
    FORMATS,
    UNREADABLE,
    grey_on_white,
    read_mended,
    upright,
)
from timba.files.processors.text_collector import TEXT
from timba.files.tesseract import IS_INSTALLED, data_folder

if IS_INSTALLED:
    import tesserocr

# At which a PDF's page is drawn, if that is not too large: the longest side of A4 in pixels.
DOTS_PER_INCH: Final = 300
MAX_SIDE: Final = 3508
_POINTS_PER_INCH: Final = 72
# What programs and signatures write on a scan, in characters, and draw, in texts and lines; and
# what a scan fills of its page.
MAX_STAMP: Final = 200
MAX_OBJECTS: Final = 1000
_MIN_FILLED: Final = 0.5
_PICTURES: Final = (FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_FORM)
# In percent. The words of papers, however photographed, were measured to have a mean of 86 and
# more, those that are found in pictures of something else of at most 60. Blanks and punctuation are
# always taken for certain.
MIN_MEAN_CONFIDENCE: Final = 70
MIN_CONFIDENCE: Final = 60
# A few words may have a high mean by accident.
MIN_WORDS: Final = 3
_WORD_CHARACTERS: Final = 2
# With fewer, the picture is hardly a paper that lies on its side or upside down.
_MIN_WORDS_TO_TURN: Final = 20
_TURNS: Final = (
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_90,
)


class PictureSource(Source, Protocol):
    """A photo or PDF, with an extra input: JSON of `{"languages": "eng+lav", "page": number}`.

    The page is that of a PDF, from 1, and null for a photo.
    """

    def open_extra(self) -> BinaryIO: ...


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    confidence: float  # in percent
    ends_line: bool

    @property
    def characters(self) -> int:
        return sum(character.isalnum() for character in self.text)


@cache
def load_languages(languages: str) -> Any:
    """Return Tesseract with its data of the languages, `+` between them.

    The sandbox child calls it before it drops its rights, since the data is read from files.
    """
    tesseract = tesserocr.PyTessBaseAPI(
        path=str(data_folder()), lang=languages, psm=tesserocr.PSM.AUTO, oem=tesserocr.OEM.LSTM_ONLY
    )
    # Messages go to standard error. Otherwise the first one opens /dev/null, and crashes where it
    # cannot.
    tesseract.SetVariable("debug_file", "")
    return tesseract


def find_pictures(source: Source) -> Findings:
    """Return the numbers, from 1, of a PDF's pages without text of their own as `pages`."""
    with source.open() as stream:
        content = stream.read()
    with contextlib.closing(open_pdf(content)) as document:
        pages = range(len(document))
        return {"pages": [number + 1 for number in pages if _is_picture(document, number)]}


def read_picture(source: PictureSource) -> ReadResult:
    """Return the text of a photo or page as an object; raise FileRefused for one not drawn."""
    with source.open() as stream, source.open_extra() as extra_stream:
        content, extra = stream.read(), json.load(extra_stream)
    page = extra["page"]
    picture = _open_photo(content) if page is None else _draw(content, page)
    words = _read_words(load_languages(extra["languages"]), picture)
    lines = "".join(word.text + ("\n" if word.ends_line else " ") for word in words)
    return ReadResult(findings={}, objects={TEXT: lines.encode(errors="replace")})


def _is_picture(document: pdfium.PdfDocument, number: int) -> bool:
    try:
        page = document[number]
        with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
            count: int = text.count_chars()
            return count <= 0 or (count <= MAX_STAMP and _is_filled(page))
    except pdfium.PdfiumError:
        return False


def _is_filled(page: pdfium.PdfPage) -> bool:
    """Return whether one picture, or what some programs put it into, fills most of the page.

    A page of many lines is a drawing, whatever lies under it: looking at each of them takes long.
    """
    if FPDFPage_CountObjects(page) > MAX_OBJECTS:
        return False
    sides = [drawn.get_bounds() for drawn in page.get_objects(filter=_PICTURES, max_depth=1)]
    areas = [(right - left) * (top - bottom) for left, bottom, right, top in sides]
    width, height = page.get_size()
    return bool(max(areas, default=0.0) >= _MIN_FILLED * width * height)


def _draw(content: bytes, number: int) -> Image.Image:
    """Return a page of a PDF in grey."""
    with contextlib.closing(open_pdf(content)) as document:
        document.init_forms()  # without, what was filled into a form is not drawn
        try:
            page = document[number - 1]
            scale = min(DOTS_PER_INCH / _POINTS_PER_INCH, MAX_SIDE / max(page.get_size()))
            drawn: Image.Image = page.render(scale=scale, grayscale=True).to_pil()
            return drawn.convert("L")
        except (pdfium.PdfiumError, ArithmeticError, ValueError):
            raise FileRefused(NOT_DRAWN) from None


def _open_photo(content: bytes) -> Image.Image:
    try:
        return read_mended(_decode, content)
    except UNREADABLE:
        raise FileRefused(DAMAGED) from None


def _decode(content: bytes) -> Image.Image:
    """Return a photo upright and in grey, its longest side at most `MAX_SIDE` pixels."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        orientation = read_camera(image).orientation
        scale = MAX_SIDE / max(image.size)
        image.draft("L", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
        grey = grey_on_white(image)
    grey.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return upright(grey, orientation)


def _read_words(tesseract: Any, picture: Image.Image) -> Sequence[_Word]:
    """Return the words of a paper, turned upright if need be; none of another picture."""
    words = list(_recognize(tesseract, picture))
    if not _are_text(words) and len(words) >= _MIN_WORDS_TO_TURN:
        # The middle tells, in a quarter of the time.
        width, height = picture.size
        middle = picture.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4))
        for turn in _TURNS:
            if _are_text(list(_recognize(tesseract, middle.transpose(turn)))):
                words = list(_recognize(tesseract, picture.transpose(turn)))
                break
    if not _are_text(words):
        return []
    return [word for word in words if word.characters and word.confidence >= MIN_CONFIDENCE]


def _are_text(words: Sequence[_Word]) -> bool:
    sure = [word.confidence for word in words if word.characters >= _WORD_CHARACTERS]
    return len(sure) >= MIN_WORDS and fmean(sure) >= MIN_MEAN_CONFIDENCE


def _recognize(tesseract: Any, picture: Image.Image) -> Iterator[_Word]:
    width, height = picture.size
    tesseract.SetImageBytes(picture.tobytes(), width, height, 1, width)
    tesseract.SetSourceResolution(DOTS_PER_INCH)
    if not tesseract.Recognize():
        return
    level, line = tesserocr.RIL.WORD, tesserocr.RIL.TEXTLINE
    for found in tesserocr.iterate_level(tesseract.GetIterator(), level):
        if found.Empty(level):
            continue
        yield _Word(
            text=found.GetUTF8Text(level).strip(),
            confidence=found.Confidence(level),
            ends_line=found.IsAtFinalElement(line, level),
        )
