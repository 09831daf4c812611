"""What is read from a photo, and the sentences for those that cannot be read."""

from __future__ import annotations

import io
import os
import random
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD

from tests.files.conftest import Receive
from tests.files.samples import PNG_SIGNATURE, MemorySource, forest, photo, png, png_chunk
from timba.files.models import File
from timba.files.processors import photo as photo_module
from timba.files.processors.base import FileRefused, Findings
from timba.files.processors.photo import (
    DAMAGED,
    TOO_MANY_SCANS,
    read_photo,
)
from timba.files.sandbox import close_sandbox, run_in_sandbox
from timba.files.sandbox_child import UNREADABLE

MAKE, MODEL, ORIENTATION, TAKEN, OFFSET = 0x010F, 0x0110, 0x0112, 0x9003, 0x9011
PLACE = {1: "N", 2: (56.0, 57.0, 0.0), 3: "E", 4: (24.0, 6.0, 0.0)}
TOO_MANY_PIXELS = "It has more than 50 million pixels. Send a smaller copy."


pytestmark = pytest.mark.only_on("sqlite")


def facts_of(content: bytes) -> Findings:
    return read_photo(MemorySource(content)).findings


def test_a_photo_with_many_scans_is_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each scan has a hundred bytes and costs as much as decoding a whole picture."""
    content = photo((200, 150), progressive=True, mode="L")
    start = content.rindex(b"\xff\xda")
    begun, scan, end = content[:start], content[start:-2], content[-2:]
    monkeypatch.setattr(photo_module, "MAX_SCANNED_PIXELS", 50 * 200 * 150)
    allowed = 50 - begun.count(b"\xff\xda")
    assert facts_of(begun + scan * allowed + end)["width"] == 200
    with pytest.raises(FileRefused, match=TOO_MANY_SCANS):
        facts_of(begun + scan * (allowed + 1) + end)


@pytest.mark.django_db
def test_a_photo_is_read_in_the_sandbox(settle: Receive) -> None:
    content = photo(
        (640, 480),
        exif={
            MAKE: "Nikon",
            MODEL: "D750",
            IFD.Exif: {TAKEN: "2024:05:06 07:08:09", OFFSET: "+02:00"},
            IFD.GPSInfo: PLACE,
        },
    )
    file = settle(content, name="load.JPG")
    assert (file.status, file.kind, file.media_type) == ("SUCCESS", "photo", "image/jpeg")
    result = dict(file.result)
    assert list(result)[:4] == ["id", "name", "execution_time", "random_number"]
    assert (result["id"], result["name"]) == (str(file.pk), "load.JPG")
    assert 0 < result["execution_time"] < 60
    assert 1 <= result["random_number"] <= 1000
    assert {name: result[name] for name in list(result)[4:-1]} == {
        "width": 640,
        "height": 480,
        "format": "JPEG",
        "taken_at": "2024-05-06T05:08:09Z",
        "camera": "Nikon D750",
        "has_gps": True,
        "latitude": 56.95,
        "longitude": 24.1,
    }
    assert len(bytes.fromhex(result["phash"])) == 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_kind_of_photo_is_read(kind: str) -> None:
    facts = facts_of(photo((100, 50), kind=kind))
    assert (facts["format"], facts["width"], facts["height"]) == (kind, 100, 50)
    assert (facts["taken_at"], facts["camera"], facts["has_gps"]) == (None, None, False)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_pixel_mode_is_read(mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (40, 30)).save(file, "PNG")
    assert facts_of(file.getvalue())["width"] == 40


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_read_as_upright_in_every_orientation(orientation: int) -> None:
    """Rotated pictures with the matching EXIF orientation have the findings of the upright one."""
    upright = forest((300, 200))
    turned = {
        1: lambda image: image,
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation](upright)
    facts = facts_of(photo(picture=turned, kind="PNG", exif={ORIENTATION: orientation}))
    assert (facts["width"], facts["height"]) == (300, 200)
    original = facts_of(photo(picture=upright, kind="PNG"))
    assert differing_bits(facts["phash"], original["phash"]) <= 4


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "RGB;16"])
def test_the_hash_is_near_that_of_the_same_picture_in_eight_bits(mode: str) -> None:
    picture = forest((300, 200))
    content = {
        "CMYK": lambda: photo(picture=picture, mode="CMYK"),
        "L": lambda: photo(picture=picture, mode="L", kind="PNG"),
        "I;16": lambda: png(300, 200, pixels=sixteen_bits(picture, "L"), depth=16, colour=0),
        "RGB;16": lambda: png(300, 200, pixels=sixteen_bits(picture, "RGB"), depth=16),
    }[mode]()
    twin = facts_of(photo(picture=picture, kind="PNG"))
    assert differing_bits(facts_of(content)["phash"], twin["phash"]) <= 4


def sixteen_bits(picture: Image.Image, mode: str) -> bytes:
    """Return the lines of a PNG whose pixels have two bytes for each byte of `picture`."""
    values = picture.convert(mode).tobytes()
    width = len(values) // picture.height
    lines = (values[start : start + width] for start in range(0, len(values), width))
    return b"".join(b"\0" + bytes(byte for byte in line for _ in "ab") for line in lines)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_read(kind: str) -> None:
    file = io.BytesIO()
    first, other = forest((300, 200)), Image.new("RGB", (300, 200), "red")
    first.save(file, kind, save_all=True, append_images=[other], duration=100, lossless=True)
    whole = facts_of(photo(picture=first, kind="PNG"))
    assert facts_of(file.getvalue()) == whole | {"format": kind}


def test_a_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    file = io.BytesIO()
    upright = Image.Exif()
    upright[ORIENTATION] = 6
    first = forest((300, 200))
    first.save(file, "MPO", save_all=True, append_images=[first.resize((60, 40))], exif=upright)
    facts = facts_of(file.getvalue())
    assert (facts["format"], facts["width"], facts["height"]) == ("JPEG", 200, 300)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("end", [b"", b"\xff", b"\xff\xd9\r\n", b"\xff\xd9<html>\xff\xd8"])
def test_a_jpeg_is_read_whatever_its_last_bytes(end: bytes, mode: str, progressive: bool) -> None:
    whole = photo((300, 200), mode=mode, progressive=progressive)
    assert facts_of(whole[:-2] + end) == facts_of(whole)


@pytest.mark.parametrize("missing", [20, 171, 1000])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_pixels_is_refused(missing: int, progressive: bool) -> None:
    with pytest.raises(FileRefused, match=DAMAGED):
        facts_of(photo((300, 200), progressive=progressive)[:-missing])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"tEXt", b"Comment\0" + b"x" * 2_000_000),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 3_000_000)),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
    ],
)
def test_a_png_with_long_texts_is_read(name: bytes, text: bytes) -> None:
    whole = photo((60, 40), kind="PNG", exif={MAKE: "Nikon"})
    facts = facts_of(whole)
    # Behind the header, and before the end.
    for position in (len(PNG_SIGNATURE) + 25, len(whole) - 12):
        content = whole[:position] + png_chunk(name, text) + whole[position:]
        assert facts_of(content) == facts


def test_similar_photos_share_most_of_their_hash_and_others_do_not() -> None:
    large, small = forest((800, 600)), forest((400, 300))
    other = Image.effect_noise((400, 300), 80).convert("RGB")
    hashes = [facts_of(photo(picture=picture))["phash"] for picture in (large, small, other)]
    assert differing_bits(hashes[0], hashes[1]) <= 4
    assert differing_bits(hashes[0], hashes[2]) >= 12


def gradient(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "picture", [Image.new("RGB", (64, 48), "red"), Image.new("RGB", (7, 900)), gradient((64, 48))]
)
def test_a_picture_without_detail_has_no_hash(picture: Image.Image, kind: str) -> None:
    assert facts_of(photo(picture=picture, kind=kind))["phash"] is None


def test_waves_that_a_symmetric_picture_does_not_have_are_no_bits_of_its_hash() -> None:
    left = forest((320, 480))
    picture = Image.new("RGB", (640, 480))
    picture.paste(left, (0, 0))
    picture.paste(left.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (320, 0))
    phash = facts_of(photo(picture=picture, kind="PNG"))["phash"]
    # Every second wave of a row is as high on the left as it is deep on the right.
    assert int(phash, 16) & 0xAAAA_AAAA_AAAA_AAAA == 0


def differing_bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_corrupted_exif_data_does_not_fail_the_photo(kind: str) -> None:
    content = photo(
        kind=kind,
        exif={
            MAKE: "Nikon",
            MODEL: "D750",
            ORIENTATION: 6,
            IFD.Exif: {TAKEN: "2024:05:06 07:08:09"},
            IFD.GPSInfo: PLACE,
        },
    )
    start = content.index(b"MM\0*")
    end = content.index(b"\xff\xdb") if kind == "JPEG" else len(content)
    chance = random.Random(7)
    for _ in range(150):
        garbled = bytearray(content)
        for _ in range(chance.randint(1, 12)):
            garbled[chance.randrange(start, end)] = chance.randrange(256)
        facts = facts_of(bytes(garbled))
        assert sorted((facts["width"], facts["height"])) == [48, 64]


@pytest.mark.parametrize("size", [(50_000, 1001), (2**31 - 1, 2**31 - 1), (100_000, 100_000)])
def test_too_many_pixels_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(FileRefused, match=TOO_MANY_PIXELS):
        facts_of(png(*size))


@pytest.mark.django_db
@pytest.mark.parametrize("size", [(50_000, 1001), (50_000, 3000)])
def test_too_many_pixels_are_refused_in_the_sandbox_too(
    settle: Receive, size: tuple[int, int]
) -> None:
    """There, warnings are errors only because the processor makes them so."""
    assert settle(png(*size), name="large.png").error == TOO_MANY_PIXELS


@pytest.mark.django_db
def test_the_maximum_of_pixels_fits_into_the_sandbox(settle: Receive) -> None:
    file = settle(png(7000, 7000, pixels=bytes(7000 * (1 + 3 * 7000))), name="large.png")
    assert (file.status, file.error) == (File.Status.SUCCESS, "")


WHOLE = {kind: photo((300, 200), kind=kind) for kind in ("JPEG", "PNG", "WEBP")}


@pytest.mark.parametrize("kind", sorted(WHOLE))
@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_a_truncated_photo_is_refused(kind: str, share: float) -> None:
    content = WHOLE[kind]
    with pytest.raises(FileRefused) as refusal:
        facts_of(content[: max(12, int(len(content) * share))])
    assert str(refusal.value) == DAMAGED


@pytest.mark.parametrize(
    "content",
    [
        png(0, 0),
        png(0, 10),
        png(10, 10),
        PNG_SIGNATURE,
        b"\xff\xd8\xff",
        b"RIFF\x04\0\0\0WEBP",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
    ids=lambda content: repr(content[:8]),
)
def test_a_file_that_is_no_photo_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused) as refusal:
        facts_of(content)
    assert str(refusal.value) == DAMAGED


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO", "JPEG2000", "PDF"])
def test_only_three_decoders_are_enabled(kind: str) -> None:
    file = io.BytesIO()
    forest((32, 32)).save(file, kind)
    with pytest.raises(FileRefused) as refusal:
        facts_of(file.getvalue())
    assert str(refusal.value) == DAMAGED


def test_a_photo_with_appended_html_is_a_photo() -> None:
    """A polyglot is read as a photo, and never shown as anything else."""
    facts = facts_of(photo() + b"<script>alert(1)</script>%PDF-1.7")
    assert facts["format"] == "JPEG"


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_corrupted_photos_are_read_or_refused_and_leave_no_process(kind: str) -> None:
    chance = random.Random(kind)
    before = set(Path("/proc").glob("[0-9]*"))
    sentences: set[str] = set()
    for _ in range(25):
        corrupted = bytearray(WHOLE[kind])
        for _ in range(chance.randint(1, 30)):
            corrupted[chance.randrange(12, len(corrupted))] = chance.randrange(256)
        try:
            run_in_sandbox(read_photo, MemorySource(bytes(corrupted)))
        except FileRefused as refusal:
            sentences.add(str(refusal))
    assert sentences <= {DAMAGED, UNREADABLE, TOO_MANY_PIXELS}
    close_sandbox()
    ours = {
        path
        for path in set(Path("/proc").glob("[0-9]*")) - before
        if str(os.getpid()) in parent_of(path)
    }
    assert ours == set()


def parent_of(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""
