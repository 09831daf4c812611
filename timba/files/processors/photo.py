"""Reads photos in the sandbox: size, perceptual hash, previews, and what the camera recorded.

Nothing can be imported in the sandbox, so modules that Pillow and NumPy import at first use are
imported here. Only three decoders are enabled, and the number of pixels is checked before decoding.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import numpy as np
import numpy.ma  # np.median uses it
from PIL import Image, MpoImagePlugin, WebPImagePlugin  # noqa: F401 - for Image.open

from timba.files.heif import HEIC_IS_READ
from timba.files.processors.base import FileRefused, ReadResult, Source
from timba.files.processors.exif import read_camera
from timba.files.processors.pictures import draft_size, encode_previews, shrink, to_eight_bits

if HEIC_IS_READ:
    import pillow_heif

FORMATS: Final = ("JPEG", "PNG", "WEBP", *(("HEIF",) if HEIC_IS_READ else ()))
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
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_PNG_CHUNK_BYTES: Final = 12  # length, name and checksum
# A camera's second picture for stereo or preview makes a JPEG an MPO: the first is a plain JPEG.
_JPEGS: Final = ("JPEG", "MPO")
_NAMES: Final[Mapping[str, str]] = {"MPO": "JPEG", "HEIF": "HEIC"}
_JPEG_END: Final = b"\xff" + _END_OF_IMAGE
_PADDINGS: Final = (b"", b"\x55" * 64, b"\xb4" * 64, bytes(range(64, 128)))
# What Pillow raises for a photo that is not whole.
UNREADABLE: Final = (OSError, SyntaxError, ValueError)
_HASH_SIDE: Final = 32
_HASH_BITS_SIDE: Final = 8
_HASH_DECIMALS: Final = 6
# A wave of one level of grey has a coefficient of a quarter of the number of pixels.
_MIN_DETAIL: Final = _HASH_SIDE**2 / 4 / 2
T = TypeVar("T")

Image.preinit()
if HEIC_IS_READ:
    pillow_heif.register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )
warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def read_photo(source: Source) -> ReadResult:
    """Return the findings of a photo, and its previews as objects.

    The findings are `width`, `height`, `format`, `taken_at`, `camera`, `has_gps`, `latitude`,
    `longitude` and `phash`. Width and height are in pixels, of the upright photo. `taken_at` ends
    in `Z` where the photo says what time it was in UTC. Latitude and longitude are in degrees, or
    None, as is the hash of a picture without detail. Raises FileRefused for a photo that is damaged
    or has too many pixels or scans.
    """
    with source.open() as stream:
        content = stream.read()
    try:
        return read_mended(_read, content)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise FileRefused(
            f"It has more than {MAX_PIXELS // 1_000_000} million pixels. Send a smaller copy."
        ) from None
    except UNREADABLE:
        raise FileRefused(DAMAGED) from None


def _read(content: bytes) -> ReadResult:
    with io.BytesIO(content) as stream, Image.open(stream, formats=FORMATS) as image:
        if image.format in _JPEGS:
            _check_scans(content, pixels=image.width * image.height)
        return _read_image(image)


def read_mended(read: Callable[[bytes], T], content: bytes) -> T:
    """Call `read` with a photo; where that fails, with what can be read of it.

    Browsers show some photos although Pillow does not.
    """
    try:
        return read(content)
    except UNREADABLE:
        return read(_mend(content))


def _mend(content: bytes) -> bytes:
    if content.startswith(_PNG_SIGNATURE):
        return _without_texts(content)
    # Programs that stop too early may write all pixels but not the end. Where pixels are missing,
    # it makes a difference which bytes stand in for them.
    kept = content.rstrip(b"\xff")
    if len({_pixels(kept + padding + _JPEG_END) for padding in _PADDINGS}) > 1:
        raise FileRefused(DAMAGED)
    return kept + _JPEG_END


def _pixels(content: bytes) -> bytes:
    """Return a hash of a JPEG's pixels."""
    with io.BytesIO(content) as stream, Image.open(stream, formats=FORMATS) as image:
        _check_scans(content, pixels=image.width * image.height)
        return hashlib.sha256(image.tobytes()).digest()


def _without_texts(content: bytes) -> bytes:
    """Return a PNG without its texts and colour profile, which may be longer than Pillow reads."""
    kept, position = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while chunk := content[position : position + 8]:
        length = int.from_bytes(chunk[:4])
        end = position + length + _PNG_CHUNK_BYTES
        if chunk[4:] not in _PNG_TEXTS:
            kept.append(content[position:end])
        position = end
    return b"".join(kept)


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


def _read_image(image: Image.Image) -> ReadResult:
    width, height = image.size
    image_format = _NAMES.get(image.format or "", image.format)
    camera = read_camera(image)
    if camera.orientation in _ROTATED_BY_90:
        width, height = height, width
    # Decodes a large JPEG at a fraction of its size. All bytes are still read, so truncation is
    # detected.
    image.draft(image.mode, draft_size(image.size))
    small = to_grey(image).resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    findings = {
        "width": width,
        "height": height,
        "format": image_format,
        "taken_at": camera.taken_at,
        "camera": camera.name,
        "has_gps": camera.latitude is not None,
        "latitude": camera.latitude,
        "longitude": camera.longitude,
        "phash": _perceptual_hash(upright(small, camera.orientation)),
    }
    previews = {}
    with contextlib.suppress(Exception):  # the findings stand without previews
        previews = encode_previews(upright(shrink(image), camera.orientation))
    return ReadResult(findings=findings, objects=previews)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as it is to be seen, by its EXIF orientation."""
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image


def to_grey(image: Image.Image) -> Image.Image:
    """Return the picture in 8-bit grey."""
    return to_eight_bits(image) if image.mode.startswith("I") else image.convert("L")


def grey_on_white(image: Image.Image) -> Image.Image:
    """Return the picture in 8-bit grey, its transparent parts on white, as papers are read."""
    if image.mode.startswith("I") or not image.has_transparency_data:
        return to_grey(image)
    whole = image if "A" in image.getbands() else image.convert("RGBA")
    white = Image.new("L", image.size, "white")
    return Image.composite(whole.convert("L"), white, whole.getchannel("A"))


def _perceptual_hash(small: Image.Image) -> str | None:
    """Return 64 bits in hexadecimal, most of which are equal for similar photos.

    `small` has 32 x 32 grey pixels. The bits say which of the 8 x 8 lowest frequencies of its
    discrete cosine transform, without the constant ones, exceed their median (Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1).
    None without a wave of half a level of grey, as of a picture of one colour or of stripes: its
    bits would be chance.
    """
    pixels = np.asarray(small, dtype=np.float64)
    index = np.arange(_HASH_SIDE)
    cosines = np.cos(np.pi * (2 * index[None, :] + 1) * index[:, None] / (2 * _HASH_SIDE))
    lowest = (cosines @ pixels @ cosines.T)[1 : _HASH_BITS_SIDE + 1, 1 : _HASH_BITS_SIDE + 1]
    if np.abs(lowest).max() < _MIN_DETAIL:
        return None
    # What is less is an error of the arithmetic, which differs between machines.
    lowest = lowest.round(_HASH_DECIMALS)
    bits = (lowest > np.median(lowest)).ravel()
    return np.packbits(bits).tobytes().hex()
