"""Behind the protections nothing can be imported or opened, and no reader needs to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from tests.files.samples import MemorySource, pdf, photo, png
from tests.tallies.sheets import tally
from timba.files.processors.base import FileRefused, Findings, ReadResult
from timba.files.processors.document import read_document
from timba.files.processors.photo import read_photo
from timba.files.sandbox import close_sandbox, run_in_sandbox
from timba.tallies.annotate import annotate_values, annotate_workbook
from timba.tallies.reading import read_tally

Reader = Callable[[MemorySource], Findings | ReadResult]

_CAMERA: dict[int, Any] = {
    Base.Make: "Canon",
    Base.Model: "EOS R6",
    Base.Orientation: 6,
    IFD.Exif: {
        Base.DateTimeOriginal: "2024:05:06 07:08:09",
        Base.OffsetTimeOriginal: "+02:00",
    },
    IFD.GPSInfo: {1: "N", 2: (56.0, 57.0, 3.0)},
}
_INFO = {"Title": "Lorry 7", "Author": "Harald", "CreationDate": "D:20240506070809+02'00"}
_BOM = "\ufeff".encode()
_ROWS = "barcode;length m;breadth cm;height cm\nA;1,5;30;20\nB;2,5;30;x\n"
_MARKS = {"annotations": [[0, 3, 3, "This is no number."]]}


def _several(kind: str) -> bytes:
    """Return a file with two pictures, as cameras and phones write."""
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "green"))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[second])
    return file.getvalue()


def _cases() -> list[tuple[Reader, MemorySource]]:
    workbook, sheet = tally(("A", 1.5, 30, 20), ("B", 2.5, 30, "x")), _ROWS.encode()
    marks = json.dumps(_MARKS).encode()
    photos = [
        *(photo(kind=kind, exif=_CAMERA) for kind in ("JPEG", "PNG", "WEBP")),
        *(photo(kind="PNG", mode=mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
        *(_several(kind) for kind in ("MPO", "PNG", "WEBP")),
        *(photo(mode="CMYK"), photo()[:300], png(60_000, 60_000), b"GIF89a" + bytes(100)),
    ]
    documents = [pdf(3, text="larch", info=_INFO), pdf(locked=True), b"%PDF-1.7 no more"]
    return [
        *((read_photo, MemorySource(content)) for content in photos),
        *((read_document, MemorySource(content)) for content in documents),
        *((read_tally, MemorySource(content)) for content in (workbook, sheet, _BOM + sheet)),
        *((annotate_workbook, MemorySource(content, marks)) for content in (workbook, sheet)),
        (annotate_values, MemorySource(workbook, marks)),
    ]


def _outcome(read: Callable[[], Findings | ReadResult]) -> object:
    try:
        output = read()
    except FileRefused as refusal:
        return str(refusal)
    result = output if isinstance(output, ReadResult) else ReadResult(findings=output)
    # As JSON has them: a tuple becomes a list.
    return json.loads(json.dumps(dict(result.findings))), sorted(result.objects)


def test_each_kind_is_read_in_the_sandbox_as_it_is_outside() -> None:
    for reader, source in _cases():
        inside = partial(run_in_sandbox, reader, source, extra=source.extra)
        assert _outcome(inside) == _outcome(partial(reader, source)), (reader, source.content[:99])
    close_sandbox()
