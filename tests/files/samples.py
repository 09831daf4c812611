"""Builds valid and invalid photos and PDFs, byte by byte where no library would."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def photo(
    size: tuple[int, int] = (64, 48),
    *,
    kind: str = "JPEG",
    orientation: int | None = None,
    mode: str = "RGB",
    exif: dict[int, Any] | None = None,
    details: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    picture: Image.Image | None = None,
    progressive: bool = False,
) -> bytes:
    """Return a photo with EXIF data."""
    written = Image.Exif()
    for tag, value in (exif or {}).items():
        written[tag] = value
    if orientation is not None:
        written[ExifTags.Base.Orientation] = orientation
    written.get_ifd(ExifTags.IFD.Exif).update(details or {})
    written.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    image = picture or forest(size)
    file = io.BytesIO()
    image.convert(mode).save(file, kind, exif=written, progressive=progressive)
    return file.getvalue()


def forest(size: tuple[int, int]) -> Image.Image:
    """Return a picture of soft blotches, which every rotation and mirroring changes."""
    chance = random.Random(7)
    return Image.frombytes("RGB", (12, 9), chance.randbytes(3 * 12 * 9)).resize(
        size, Image.Resampling.BICUBIC
    )


def png(width: int, height: int, *, packed: bytes = b"") -> bytes:
    """Return a PNG whose header claims this size, with any compressed data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def black_png(width: int, height: int) -> bytes:
    """Return a PNG of black pixels: 13,000 × 13,000 of them are half a megabyte."""
    return png(width, height, packed=_packed_zeros(height * (1 + 3 * width)))


def _packed_zeros(size: int) -> bytes:
    """Return the zlib compression of this many zeros, in a fraction of the time."""
    block = bytes(1024 * 1024)
    whole, rest = divmod(size, len(block))
    packer = zlib.compressobj(level=9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(level=9, wbits=-15)
    checksum = zlib.adler32(block[:rest])
    for _ in range(whole):
        checksum = zlib.adler32(block, checksum)
    end = last.compress(block[:rest]) + last.flush()
    return b"\x78\xda" + packed * whole + end + struct.pack(">I", checksum)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def pdf(
    pages: int = 1,
    *,
    text: str = "",
    info: dict[str, str] | None = None,
    locked: bool = False,
) -> bytes:
    """Return a PDF with `text` on every page; a locked one needs a password."""
    drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    first_page = 6
    kids = " ".join(f"{first_page + number} 0 R" for number in range(pages))
    facts = "".join(f"/{name} ({value})" for name, value in (info or {}).items())
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
    page += b"/Resources << /Font << /F1 3 0 R >> >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        f"<< {facts} >>".encode("latin-1"),
        *[page] * pages,
    ]
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >>"
    body = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R /ID [<41><41>]"
    trailer += lock if locked else ""
    body += f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(body)
