"""Reads photos in the sandbox: their size, a perceptual hash, and what the camera recorded.

Nothing can be imported in the sandbox, so modules that Pillow and NumPy import at first use are
imported here. Only three decoders are enabled, and the number of pixels is checked before decoding.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.ma  # np.median uses it
from PIL import ExifTags, Image, MpoImagePlugin, WebPImagePlugin  # noqa: F401 - for Image.open

from timba.files.processors.base import FileRefused, Findings, Processor, Source
from timba.serialization import format_utc

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MAX_PIXELS: Final = 50_000_000
# Decoding each scan of a progressive JPEG passes over all pixels, however few bytes the scan has.
# Cameras and programs write some ten scans.
MAX_SCANNED_PIXELS: Final = 3_000_000_000
TOO_MANY_SCANS: Final = (
    "It is a progressive JPEG with more scans than a photo needs. Save it as a baseline JPEG."
)
DAMAGED: Final = "The photo is damaged or cut off. Send it again from the camera."
# The operation that makes a picture upright, by EXIF orientation (EXIF 2.32, tag 0x0112).
_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROTATED_BY_90: Final = frozenset({5, 6, 7, 8})
# JPEG markers that begin a segment (ITU-T T.81, table B.1), unlike those within a scan.
_MARKER: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd8", b"\xd9", b"\xda"
_HASH_SIDE: Final = 32
_HASH_BITS_SIDE: Final = 8

Image.preinit()
warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, kw_only=True, slots=True)
class _Camera:
    """What a camera recorded in a photo's EXIF data."""

    orientation: int = 1
    taken_at: str | None = None
    name: str | None = None
    has_gps: bool = False


def read_photo(source: Source) -> Findings:
    """Return `width`, `height`, `format`, `taken_at`, `camera`, `has_gps` and `phash`.

    Width and height are in pixels, of the upright photo. Raises FileRefused for a photo that is
    damaged or has too many pixels or scans.
    """
    with source.open() as stream:
        content = stream.read()
    with io.BytesIO(content) as stream:
        try:
            with Image.open(stream, formats=FORMATS) as image:
                if image.format == "JPEG":
                    _check_scans(content, pixels=image.width * image.height)
                return _findings(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise FileRefused(
                f"It has more than {MAX_PIXELS // 1_000_000} million pixels. Send a smaller copy."
            ) from None
        except (OSError, SyntaxError, ValueError):
            raise FileRefused(DAMAGED) from None


def _check_scans(content: bytes, *, pixels: int) -> None:
    """Raise FileRefused for a JPEG with more scans than its size allows."""
    max_scans = MAX_SCANNED_PIXELS // max(pixels, 1)
    scans, position = 0, len(_START_OF_IMAGE)
    while marker := _MARKER.search(content, position):
        if marker[1] == _END_OF_IMAGE:
            return
        scans += marker[1] == _START_OF_SCAN
        if scans > max_scans:
            raise FileRefused(TOO_MANY_SCANS)
        # Skip the segment, which may contain a thumbnail with markers of its own.
        position = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2])


def _findings(image: Image.Image) -> dict[str, Any]:
    width, height = image.size
    image_format = image.format
    camera = _camera(image)
    if camera.orientation in _ROTATED_BY_90:
        width, height = height, width
    # Decodes a large JPEG at a fraction of its size. All bytes are still read, so truncation is
    # detected.
    image.draft("L", (_HASH_SIDE, _HASH_SIDE))
    small = image.convert("L").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    if camera.orientation in _TRANSPOSE:
        small = small.transpose(_TRANSPOSE[camera.orientation])
    return {
        "width": width,
        "height": height,
        "format": image_format,
        "taken_at": camera.taken_at,
        "camera": camera.name,
        "has_gps": camera.has_gps,
        "phash": _perceptual_hash(small),
    }


def _camera(image: Image.Image) -> _Camera:
    try:
        exif = image.getexif()
        names = [_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
        orientation = exif.get(ExifTags.Base.Orientation)
        return _Camera(
            orientation=orientation if isinstance(orientation, int) else 1,
            taken_at=_taken_at(exif.get_ifd(ExifTags.IFD.Exif)),
            name=" ".join(name for name in names if name) or None,
            has_gps=bool(exif.get_ifd(ExifTags.IFD.GPSInfo)),
        )
    except (ImportError, MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - a photo with damaged EXIF data is still readable
        return _Camera()


def _text(value: object) -> str:
    return str(value).replace("\0", "").strip() if value else ""


def _taken_at(details: dict[int, Any]) -> str | None:
    """Return the time of exposure in UTC as ISO 8601; without a recorded offset, UTC is assumed."""
    moment = _text(details.get(ExifTags.Base.DateTimeOriginal))
    offset = _text(details.get(ExifTags.Base.OffsetTimeOriginal))
    for text, layout in ((moment + offset, "%Y:%m:%d %H:%M:%S%z"), (moment, "%Y:%m:%d %H:%M:%S")):
        with contextlib.suppress(ValueError, OverflowError):
            taken = datetime.strptime(text, layout)  # noqa: DTZ007 - a zone is added below
            taken = taken if taken.tzinfo else taken.replace(tzinfo=UTC)
            return format_utc(taken)
    return None


def _perceptual_hash(small: Image.Image) -> str:
    """Return 64 bits in hexadecimal, most of which are equal for similar photos.

    `small` has 32 x 32 grey pixels. The bits say which of the 8 x 8 lowest frequencies of its
    discrete cosine transform, without the constant ones, exceed their median (Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1).
    """
    pixels = np.asarray(small, dtype=np.float64)
    index = np.arange(_HASH_SIDE)
    cosines = np.cos(np.pi * (2 * index[None, :] + 1) * index[:, None] / (2 * _HASH_SIDE))
    lowest = (cosines @ pixels @ cosines.T)[1 : _HASH_BITS_SIDE + 1, 1 : _HASH_BITS_SIDE + 1]
    bits = (lowest > np.median(lowest)).ravel()
    return np.packbits(bits).tobytes().hex()


PROCESSOR = Processor(kind="photo", read=read_photo)
