"""Photos and PDFs, valid and invalid, written byte by byte where no library would; and a source."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PERMIT = "Felling permit for larch\nissued by the forest service\nForty logs of larch\n"


Outcome = str | Mapping[str, Any]
"""The sentence of a FAILURE, or some of the result of a SUCCESS."""


class MaliciousFile(NamedTuple):
    """A file that is built by code, and what becomes of it.

    `outcomes` are by the kind that it is uploaded as. `refusal` is why it is not accepted, if it is
    not, and `upload_refusal` the same at `/upload/`, which takes readings only.
    """

    name: str
    build: Callable[[], bytes]
    outcomes: Mapping[str, Outcome]
    refusal: str = ""
    upload_refusal: str = ""


@dataclass(frozen=True)
class MemorySource:
    """A file in memory, and an extra input, for a reader."""

    content: bytes
    extra: bytes = b""
    name: str = "file"

    @property
    def size(self) -> int:
        return len(self.content)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.content)

    def open_extra(self) -> io.BytesIO:
        return io.BytesIO(self.extra)

    def progress(self, _fraction: float) -> None:
        """Accept it: nobody waits."""


def photo(
    size: tuple[int, int] = (64, 48),
    *,
    kind: str = "JPEG",
    mode: str = "RGB",
    exif: Mapping[int, Any] | None = None,
    picture: Image.Image | None = None,
    progressive: bool = False,
) -> bytes:
    """Return a photo; a value of `exif` may be the dictionary of a directory of its own."""
    written = Image.Exif()
    written.update(exif or {})
    file = io.BytesIO()
    image = (picture or forest(size)).convert(mode)
    image.save(file, kind, exif=written, progressive=progressive)
    return file.getvalue()


def forest(size: tuple[int, int]) -> Image.Image:
    """Return a picture of soft blotches, which every rotation and mirroring changes."""
    blotches = Image.frombytes("RGB", (12, 9), random.Random(7).randbytes(3 * 12 * 9))
    return blotches.resize(size, Image.Resampling.BICUBIC)


def png(width: int, height: int, *, pixels: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG whose header claims this size, with any pixels; `colour` 0 is grey."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 1)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(png_chunk(name, content) for name, content in chunks)


def png_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def pdf(
    pages: int = 1,
    *,
    text: str = "",
    info: Mapping[str, str | bytes] | None = None,
    locked: bool = False,
    catalog: str = "",
    xmp: str = "",
) -> bytes:
    """Return a PDF with `text` on every page; a locked one needs a password."""
    packet = xmp.encode().decode("latin-1")
    drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    facts = "".join(
        f"/{name} ({value.decode('latin-1') if isinstance(value, bytes) else value})"
        for name, value in (info or {}).items()
    )
    # All pages are one object.
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {'/Metadata 8 0 R' if xmp else ''} {catalog} >>",
        f"<< /Type /Pages /Count {pages} /Kids [{'6 0 R ' * pages}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        f"<< {facts} >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources 7 0 R >>",
        "<< /Font << /F1 3 0 R >> >>",
        f"<< /Type /Metadata /Subtype /XML /Length {len(packet)} >>\nstream\n{packet}\nendstream",
    ]
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >>"
    body, table = "%PDF-1.7\n", "0000000000 65535 f \n"
    for number, content in enumerate(objects, start=1):
        table += f"{len(body):010} 00000 n \n"
        body += f"{number} 0 obj\n{content}\nendobj\n"
    trailer = f"/Size 9 /Root 1 0 R /Info 5 0 R /ID [<41><41>]{lock if locked else ''}"
    end = f"xref\n0 9\n{table}trailer\n<< {trailer} >>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + end).encode("latin-1")


def paper(
    text: str = PERMIT, *, size: tuple[int, int] = (1240, 900), font: Path | None = None
) -> Image.Image:
    """Return a picture of a paper with this text."""
    picture = Image.new("L", size, "white")
    letters = ImageFont.truetype(font, 32) if font else ImageFont.load_default(32)
    ImageDraw.Draw(picture).multiline_text((80, 80), text, font=letters, fill=30, spacing=24)
    return picture


def scan(*pictures: Image.Image) -> bytes:
    """Return a PDF whose pages are these pictures, at 150 dots per inch."""
    file = io.BytesIO()
    first, *others = pictures
    first.save(file, "PDF", save_all=True, append_images=others, resolution=150)
    return file.getvalue()
