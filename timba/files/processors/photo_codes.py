"""Reads the barcodes and other codes in a photo, in the sandbox.

It is a request of its own, made only where a code may link the photo to a log: it takes as long as
all else that is read in a photo, and if it fails, only the codes are missing.
"""

from __future__ import annotations

import io
import math
from typing import Final

import zxingcpp
from PIL import Image

from timba.consignments.barcode_text import barcode_key, is_barcode, normalize_barcode
from timba.files.processors.base import Findings, Source
from timba.files.processors.photo import FORMATS, grey_on_white, read_mended

MAX_CODES: Final = 10
# The longest side in pixels: finding codes takes time by the number of pixels. A JPEG is decoded at
# a half, a quarter or an eighth of its size if that is not too small.
MAX_SIDE: Final = 2048
MIN_SIDE: Final = 1200


def read_photo_codes(source: Source) -> Findings:
    """Return the texts of the codes in a photo that `read_photo` accepts, as `codes`."""
    with source.open() as stream:
        content = stream.read()
    return {"codes": read_codes(read_mended(_decode, content))}


def _decode(content: bytes) -> Image.Image:
    """Return a photo in grey, its longest side at most `MAX_SIDE` pixels."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        scale = MIN_SIDE / max(image.size)
        image.draft("L", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
        grey = grey_on_white(image)
    grey.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return grey


def read_codes(image: Image.Image) -> list[str]:
    """Return the texts of the codes in a grey picture that could be barcodes, in normal form.

    A picture of more than ten codes shows no single log: none of them is returned.
    """
    texts: dict[str, str] = {}
    for code in zxingcpp.read_barcodes(image, text_mode=zxingcpp.TextMode.Plain):
        text = normalize_barcode(code.text)
        if is_barcode(text):
            texts.setdefault(barcode_key(text), text)
    return list(texts.values()) if len(texts) <= MAX_CODES else []
