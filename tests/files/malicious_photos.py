"""Photos that attack their reader: bombs, loops and floods in JPEG, PNG, WebP and EXIF."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import partial

from PIL import Image

from tests.files.samples import PNG_SIGNATURE, Outcome, forest, photo, png, png_chunk
from timba.files.processors.photo import DAMAGED, TOO_MANY_SCANS
from timba.files.sandbox_child import OUT_OF_MEMORY, UNREADABLE

END_OF_IMAGE = b"\xff\xd9"
SCRIPT = "<script>document.title='executed'</script>"
MAKE, MODEL, ASCII, LONG = 0x010F, 0x0110, 2, 4
EXIF_POINTER, THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x8769, 0x0201, 0x0202


def zeros(size: int) -> bytes:
    """Return so many zeros, compressed about 1,000-fold."""
    packer = zlib.compressobj(9)
    return b"".join(
        [*(packer.compress(bytes(10**6)) for _ in range(size // 10**6)), packer.flush()]
    )


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with(*segments: bytes, after: bytes = b"") -> bytes:
    """Return a JPEG with these segments before all others, and bytes after its end."""
    return b"\xff\xd8" + b"".join(segments) + photo()[2:] + after


def jpeg_of_size(width: int, height: int, *, progressive: bool = False) -> bytes:
    """Return a JPEG whose header claims this size; it has the pixels of a small one."""
    content = photo(progressive=progressive)
    start = content.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def jpeg_with_scans(count: int) -> bytes:
    """Return a progressive JPEG of a million grey pixels, whose last scan is repeated."""
    content = photo(picture=Image.new("L", (1000, 1000)), mode="L", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * count + END_OF_IMAGE


def png_with(*chunks: bytes) -> bytes:
    """Return a PNG with these chunks before its pixels."""
    content = photo(kind="PNG")
    start = content.index(b"IDAT") - 4
    return content[:start] + b"".join(chunks) + content[start:]


def compressed_text(size: int) -> bytes:
    return png_chunk(b"iTXt", b"Comment\0\1\0en\0\0" + zeros(size))


def colour_profile(size: int) -> bytes:
    return png_chunk(b"iCCP", b"profile\0\0" + zeros(size))


def animated_png(frames: int) -> bytes:
    """Return an APNG whose many frames are one pixel each."""
    control = png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    pixel = zlib.compress(bytes(4))
    frame = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number, 1, 1, 0, 0, 0, 1, 0, 0))
        + png_chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + pixel)
        for number in range(frames)
    )
    content = png_with(control)
    return content[:-12] + frame + content[-12:]


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def animated_webp(width: int, height: int, frames: int) -> bytes:
    """Return an animation of one pixel on a canvas of any size."""
    pixel = io.BytesIO()
    forest((1, 1)).save(pixel, "WEBP", lossless=True)
    picture = pixel.getvalue()[12:]
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    one = bytes(12) + b"\1\0\0\0" + picture
    return riff(
        riff_chunk(b"VP8X", b"\2\0\0\0" + size),
        riff_chunk(b"ANIM", bytes(6)),
        riff_chunk(b"ANMF", one) * frames,
    )


def webp_of_size(width: int, height: int) -> bytes:
    """Return a WebP whose header claims a canvas of this size, around a picture of one pixel."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    picture = io.BytesIO()
    forest((1, 1)).save(picture, "WEBP", lossless=True)
    return riff(riff_chunk(b"VP8X", bytes(4) + size), picture.getvalue()[12:])


def directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """Return a TIFF directory of entries: tag, type, count, and value or offset."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def exif(*directories: bytes) -> bytes:
    """Return a JPEG with EXIF data of these directories, the first of them at offset 8."""
    return jpeg_with(segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + b"".join(directories)))


def multi_picture(count: int) -> bytes:
    """Return a JPEG that claims to hold so many pictures, all of them at the start of the file."""
    version, number, entries = (0xB000, 7, 4, 0x30303130), (0xB001, LONG, 1, count), 16 * count
    index = directory(version, number, (0xB002, 7, entries, 50))
    return jpeg_with(segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + index + bytes(60_000)))


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


TOO_MANY_PIXELS = "It has more than 50 million pixels. Send a smaller copy."
_JPEG: Outcome = {"width": 64, "height": 48, "format": "JPEG", "camera": None}
_PNG: Outcome = {"width": 64, "height": 48, "format": "PNG"}
_WEBP: Outcome = {"width": 64, "height": 48, "format": "WEBP"}


def endless_pixels() -> bytes:
    header, data = png(64, 48)[8:33], png_chunk(b"IDAT", zeros(10**8))
    return PNG_SIGNATURE + header + data + png_chunk(b"IEND", b"")


def interlaced(content: bytes) -> bytes:
    """Return a PNG that claims to be interlaced."""
    header = content[12:28] + b"\1"
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


# By a description: the end of the name, the bytes, and the outcome.
MALICIOUS_PHOTOS: dict[str, tuple[str, Callable[[], bytes], Outcome]] = {
    "PNG of 2,500 million pixels": ("png", partial(png, 50_000, 50_000), TOO_MANY_PIXELS),
    "JPEG of 2,500 million pixels": ("jpg", partial(jpeg_of_size, 50_000, 50_000), TOO_MANY_PIXELS),
    "progressive JPEG of 4,294 million pixels": (
        "jpg",
        partial(jpeg_of_size, 65_535, 65_535, progressive=True),
        TOO_MANY_PIXELS,
    ),
    "WebP of 2,500 million pixels": (
        "webp",
        partial(webp_of_size, 50_000, 50_000),
        TOO_MANY_PIXELS,
    ),
    "WebP with an empty canvas": ("webp", partial(webp_of_size, 7_000, 7_000), DAMAGED),
    "animated WebP of 2,500 million pixels": (
        "webp",
        partial(animated_webp, 50_000, 50_000, 3),
        TOO_MANY_PIXELS,
    ),
    "animated WebP of 49 million pixels": (
        "webp",
        partial(animated_webp, 7_000, 7_000, 3_000),
        OUT_OF_MEMORY,
    ),
    "animated WebP of 20,000 frames": ("webp", partial(animated_webp, 64, 48, 20_000), _WEBP),
    "animated PNG of 20,000 frames": ("png", partial(animated_png, 20_000), _PNG),
    "PNG that is cut off": ("png", lambda: png(7_000, 7_000, pixels=bytes(10**7)), DAMAGED),
    "JPEG that is cut off": ("jpg", lambda: jpeg_of_size(7_000, 7_000)[:-2], DAMAGED),
    "progressive JPEG that is cut off": (
        "jpg",
        lambda: jpeg_of_size(7_000, 7_000, progressive=True)[:-2],
        DAMAGED,
    ),
    "progressive JPEG of 4,000 scans": ("jpg", partial(jpeg_with_scans, 4_000), TOO_MANY_SCANS),
    "JPEG without a height": ("jpg", partial(jpeg_of_size, 64, 0), DAMAGED),
    "PNG of pixels that do not end": ("png", endless_pixels, _PNG),
    "PNG with a text of 100 MB": ("png", lambda: png_with(compressed_text(10**8)), _PNG),
    "PNG with 200 texts": ("png", lambda: png_with(compressed_text(10**6) * 200), _PNG),
    "PNG with a colour profile of 100 MB": ("png", lambda: png_with(colour_profile(10**8)), _PNG),
    "PNG of 400,000 chunks": ("png", lambda: png_with(png_chunk(b"tIME", b"") * 400_000), _PNG),
    "PNG with a chunk of 2 GB": ("png", lambda: png_with(b"\x7f\xff\xff\xfftEXt"), DAMAGED),
    "PNG without its colours": ("png", lambda: png(64, 48, pixels=bytes(48 * 65), colour=3), _PNG),
    "interlaced PNG that is cut off": (
        "png",
        lambda: interlaced(png(7_000, 7_000, pixels=bytes(10**7))),
        UNREADABLE,
    ),
    "JPEG with a colour profile of 5 MB": (
        "jpg",
        lambda: jpeg_with(
            *(segment(0xE2, b"ICC_PROFILE\0%c\x4b" % n + noise(65_000)) for n in range(1, 76))
        ),
        _JPEG,
    ),
    "JPEG of a million segments": ("jpg", lambda: jpeg_with(segment(0xFE, b"") * 10**6), _JPEG),
    "JPEG of 5 MB of padding": ("jpg", lambda: jpeg_with(b"\xff" * 5_000_000), _JPEG),
    "JPEG of a million pictures": ("jpg", partial(multi_picture, 1_000_000), _JPEG),
    "JPEG of 3,000 pictures": ("jpg", partial(multi_picture, 3_000), _JPEG),
    "EXIF directory that follows itself": (
        "jpg",
        lambda: exif(directory((EXIF_POINTER, LONG, 1, 8), following=8)),
        _JPEG,
    ),
    "EXIF directory at 4 GB": (
        "jpg",
        lambda: exif(directory((EXIF_POINTER, LONG, 1, 2**32 - 1), following=2**32 - 1)),
        _JPEG,
    ),
    "EXIF text of 4 GB": (
        "jpg",
        lambda: exif(directory((MAKE, ASCII, 2**32 - 1, 8), (MODEL, LONG, 2**31 - 1, 8))),
        _JPEG,
    ),
    "EXIF thumbnail of 4 GB": (
        "jpg",
        lambda: exif(
            directory(following=14),
            directory((THUMBNAIL_OFFSET, LONG, 1, 0), (THUMBNAIL_LENGTH, LONG, 1, 2**32 - 1)),
        ),
        _JPEG,
    ),
    "EXIF of 5,000 directories": (
        "jpg",
        lambda: exif(directory(*[(EXIF_POINTER, LONG, 1, 8)] * 5_000)),
        _JPEG,
    ),
    "EXIF with a script": (
        "jpg",
        lambda: photo(exif={MAKE: SCRIPT, MODEL: "D750"}),
        {"camera": f"{SCRIPT} D750"},
    ),
    "JPEG and ZIP": ("jpg", lambda: jpeg_with(after=b"PK\5\6" + bytes(18)), _JPEG),
    "JPEG and PHP": ("jpg", lambda: jpeg_with(segment(0xFE, b"<?php system(1); ?>")), _JPEG),
    "JPEG and HTML": (
        "jpg",
        lambda: jpeg_with(segment(0xFE, SCRIPT.encode()), after=SCRIPT.encode()),
        _JPEG,
    ),
    "JPEG and JavaScript": (
        "jpg",
        lambda: jpeg_with(segment(0xE0, b"*/=x;/*" + bytes(12_000)), after=b"*/"),
        _JPEG,
    ),
    "PNG and PDF": ("png", lambda: photo(kind="PNG") + b"%PDF-1.7\n", _PNG),
}
