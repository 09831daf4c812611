"""HEIC photos, which are read where the extra is installed."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PIL.ExifTags import IFD

from tests.files.samples import MemorySource, forest
from timba.files import kinds
from timba.files.processors.base import FileRefused
from timba.files.processors.photo import DAMAGED, read_photo
from timba.files.sandbox import run_in_sandbox

HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
pytestmark = [pytest.mark.only_on("sqlite"), pytest.mark.heic_is_read(True)]


def heic(exif: Image.Exif | None = None) -> bytes:
    file = io.BytesIO()
    forest((300, 200)).save(file, "HEIF", exif=(exif or Image.Exif()).tobytes())
    return file.getvalue()


def test_a_heic_photo_is_read_in_the_sandbox() -> None:
    exif = Image.Exif()
    exif.update({0x010F: "Apple", 0x0112: 6})
    exif.get_ifd(IFD.Exif).update({0x9003: "2024:05:06 07:08:09", 0x9011: "+03:00"})
    found = dict(run_in_sandbox(read_photo, MemorySource(heic(exif))).findings)
    assert found.pop("phash")
    assert found == {
        "width": 200,
        "height": 300,
        "format": "HEIC",
        "taken_at": "2024-05-06T04:08:09Z",
        "camera": "Apple",
        "has_gps": False,
        "latitude": None,
        "longitude": None,
    }


@pytest.mark.parametrize("content", [HEAD + bytes(50), HEAD])
def test_a_damaged_heic_photo_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused, match=DAMAGED):
        read_photo(MemorySource(content))


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF"])
def test_a_heic_photo_is_a_photo(name: str) -> None:
    detected = kinds.detect(name=name, head=HEAD, requested=None, sniffers={})
    assert (detected.kind, detected.media_type) == ("photo", "image/heic")


def test_a_heic_photo_that_is_called_otherwise_is_to_be_renamed() -> None:
    with pytest.raises(kinds.UnknownKind) as refusal:
        kinds.detect(name="a.jpg", head=HEAD, requested=None, sniffers={})
    assert str(refusal.value) == (
        "its name ends in “.jpg”, but its bytes are a HEIC photo. Rename it to end in “.heic”."
    )
