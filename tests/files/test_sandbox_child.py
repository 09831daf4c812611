"""Behind the protections nothing can be imported or opened, and no reader needs to."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import ExifTags, Image

from tests.files.samples import pdf, photo, png
from tests.files.sandbox_probe import attempt_all, users
from tests.tallies.sheets import tally

_CAMERA: dict[str, Any] = {
    "exif": {ExifTags.Base.Make: "Canon", ExifTags.Base.Model: "EOS R6"},
    "orientation": 6,
    "details": {
        ExifTags.Base.DateTimeOriginal: "2024:05:06 07:08:09",
        ExifTags.Base.OffsetTimeOriginal: "+02:00",
    },
    "gps": {1: "N", 2: (56.0, 57.0, 3.0)},
}
_INFO = {"Title": "Lorry 7", "Author": "Harald", "CreationDate": "D:20240506070809+02'00"}
_BOM = "\ufeff".encode()
_ROWS = "barcode;length m;breadth cm;height cm\nA;1,5;30;20\nB;2,5;30;x\n"
_MARKS = {"sheet": "Tally", "annotations": [[3, 4, "This is no number."]]}


def _several(kind: str) -> bytes:
    """Return a file with two pictures, as cameras and phones write."""
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "green"))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[second])
    return file.getvalue()


def _attempt(reader: str, content: bytes, extra: bytes = b"") -> list[str]:
    module, _, function = reader.rpartition(".")
    texts = (base64.b64encode(part).decode() for part in (content, extra))
    return ["read", module, function, *texts]


def _attempts() -> list[list[str]]:
    workbook, sheet = tally(("A", 1.5, 30, 20), ("B", 2.5, 30, "x")), _ROWS.encode()
    marks = json.dumps(_MARKS).encode()
    photos = [
        *(photo(kind=kind, **_CAMERA) for kind in ("JPEG", "PNG", "WEBP")),
        *(photo(kind="PNG", mode=mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
        *(_several(kind) for kind in ("MPO", "PNG", "WEBP")),
        *(photo(mode="CMYK"), photo()[:300], png(60_000, 60_000), b"GIF89a" + bytes(100)),
    ]
    documents = [pdf(3, text="larch", info=_INFO), pdf(locked=True), b"%PDF-1.7 no more"]
    return [
        *(_attempt("timba.files.processors.photo.read_photo", content) for content in photos),
        *(
            _attempt("timba.files.processors.document.read_document", content)
            for content in documents
        ),
        *(
            _attempt("timba.tallies.reading.read_tally", each)
            for each in (workbook, sheet, _BOM + sheet)
        ),
        _attempt("timba.tallies.annotate.annotate_workbook", workbook, marks),
        _attempt("timba.tallies.annotate.annotate_workbook", sheet, marks),
        _attempt("timba.tallies.annotate.annotate_values", workbook, marks),
    ]


@pytest.mark.parametrize("user", users())
def test_each_kind_is_read_as_it_is_without_the_protections(user: int) -> None:
    attempts = _attempts()
    assert attempt_all(attempts, user=user) == attempt_all(
        attempts, user=users()[0], protections=()
    )
