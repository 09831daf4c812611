"""Reads photos: their size, and what the camera wrote about the moment.

Runs in the sandbox. Only three decoders are allowed in, and the number of pixels is known before
the first is decoded.
"""

from __future__ import annotations

import contextlib
import warnings
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from timba.files.processors.base import FileRefused, Findings, Processor, Source

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MAX_PIXELS: Final = 50_000_000
DAMAGED: Final = "The photo is damaged or cut off. Send it again from the camera."
NO_PHOTO: Final = "It is not a photo that can be read: JPG, PNG and WebP can."
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_HASH_SIDE: Final = 32
_HASH_BITS_SIDE: Final = 8

warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def read_photo(source: Source) -> Findings:
    """Return `width`, `height` (as the photo stands upright), `format`, `taken_at`, `camera`,
    `has_gps` and `phash`."""
    with source.open() as stream:
        try:
            with Image.open(stream, formats=FORMATS) as image:
                return _facts(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise FileRefused(
                f"It has more pixels than are read: {MAX_PIXELS // 1_000_000} million is the most."
            ) from None
        except UnidentifiedImageError:
            raise FileRefused(NO_PHOTO) from None
        except (OSError, SyntaxError, ValueError):
            raise FileRefused(DAMAGED) from None


def _facts(image: Image.Image) -> dict[str, Any]:
    width, height = image.size
    kind = image.format
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if exif.get(ExifTags.Base.Orientation) in _SIDEWAYS:
        width, height = height, width
    # A quarter of the work for a large JPEG, and all of it is still read: a cut is found.
    image.draft("L", (_HASH_SIDE, _HASH_SIDE))
    image.load()
    makers = [_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
    return {
        "width": width,
        "height": height,
        "format": kind,
        "taken_at": _taken_at(details),
        "camera": " ".join(maker for maker in makers if maker) or None,
        "has_gps": bool(exif.get_ifd(ExifTags.IFD.GPSInfo)),
        "phash": _perceptual_hash(ImageOps.exif_transpose(image)),
    }


def _text(value: object) -> str:
    return str(value).replace("\0", "").strip() if value else ""


def _taken_at(details: dict[int, Any]) -> str | None:
    """Return the moment of exposure in UTC; a camera that names no offset is taken to mean UTC."""
    moment = _text(details.get(ExifTags.Base.DateTimeOriginal))
    offset = _text(details.get(ExifTags.Base.OffsetTimeOriginal))
    for text, layout in ((moment + offset, "%Y:%m:%d %H:%M:%S%z"), (moment, "%Y:%m:%d %H:%M:%S")):
        with contextlib.suppress(ValueError, OverflowError):
            taken = datetime.strptime(text, layout)  # noqa: DTZ007 - a zone is added below
            taken = taken if taken.tzinfo else taken.replace(tzinfo=UTC)
            return taken.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


def _perceptual_hash(image: Image.Image) -> str:
    """Return 64 bits in hex that alike photos share: the signs of the lowest frequencies of a
    32 x 32 cosine transform around their median (Zauner, Implementation and Benchmarking of
    Perceptual Image Hash Functions, 2010, section 3.2.1)."""
    small = image.convert("L").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    places = np.arange(_HASH_SIDE)
    cosines = np.cos(np.pi * (2 * places[None, :] + 1) * places[:, None] / (2 * _HASH_SIDE))
    lowest = (cosines @ pixels @ cosines.T)[1 : _HASH_BITS_SIDE + 1, 1 : _HASH_BITS_SIDE + 1]
    bits = (lowest > np.median(lowest)).ravel()
    return np.packbits(bits).tobytes().hex()


PROCESSOR = Processor(kind="photo", read=read_photo)
