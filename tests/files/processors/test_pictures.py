"""Previews of photos: their size, colours and direction, and that nothing else is in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat
from PIL.ExifTags import IFD

from tests.files.conftest import Receive
from tests.files.processors.test_photo import sixteen_bits
from tests.files.samples import MemorySource, forest, photo, png
from timba.files.models import Derivative, File
from timba.files.processors import photo as photo_module
from timba.files.processors.photo import read_photo
from timba.files.sandbox import run_in_sandbox
from timba.files.storage import store

pytestmark = pytest.mark.only_on("sqlite")
ORIENTATION = 0x0112
ROLES = ("preview_256", "preview_1024")


def previews_of(content: bytes) -> Mapping[str, bytes]:
    return read_photo(MemorySource(content)).objects


def opened(content: bytes, role: str = "preview_1024") -> Image.Image:
    """Return a decoded preview."""
    image = Image.open(io.BytesIO(previews_of(content)[role]))
    assert image.format == "WEBP"
    return image.convert("RGB")


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures of the same size, from 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def chunks_of(webp: bytes) -> list[bytes]:
    """Return the names of the chunks of a WebP (RFC 9649)."""
    assert (webp[:4], webp[8:12]) == (b"RIFF", b"WEBP")
    names, position = [], 12
    while position < len(webp):
        names.append(webp[position : position + 4])
        length = int.from_bytes(webp[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    return names


@pytest.mark.parametrize(
    ("size", "large", "small"),
    [
        ((4032, 3024), (1024, 768), (256, 192)),
        ((3000, 4000), (768, 1024), (192, 256)),
        ((1025, 3), (1024, 3), (256, 1)),
        ((1024, 1024), (1024, 1024), (256, 256)),
        ((300, 200), (300, 200), (256, 171)),
        ((100, 50), (100, 50), (100, 50)),
        ((1, 1), (1, 1), (1, 1)),
        ((20_000, 1), (1024, 1), (256, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_longest_side_is_the_size_and_nothing_is_enlarged(
    size: tuple[int, int], large: tuple[int, int], small: tuple[int, int], kind: str
) -> None:
    previews = previews_of(photo(size, kind=kind))
    sizes = [Image.open(io.BytesIO(previews[role])).size for role in ROLES]
    assert sizes == [small, large]
    assert list(previews) == ["preview_1024", "preview_256"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_preview_holds_pixels_alone(kind: str) -> None:
    """A position or a name in it would go to all that the picture is sent to."""
    exif = Image.Exif()
    exif.update({0x010F: "Nikon", IFD.GPSInfo: {1: "N", 2: (56.0, 57.0, 0.0)}})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = saved(
        forest((300, 200)), kind, exif=exif, icc_profile=profile, xmp=b"<x:xmpmeta/>", comment=b"x"
    )
    assert b"Nikon" in content
    for preview in previews_of(content).values():
        assert chunks_of(preview) == [b"VP8 "]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_preview_is_upright(orientation: int, kind: str) -> None:
    upright = forest((300, 200))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = upright.transpose(turn[orientation]) if orientation in turn else upright
    preview = opened(photo(picture=turned, kind=kind, exif={ORIENTATION: orientation}))
    assert preview.size == upright.size
    assert difference(preview, upright) < 4


@pytest.mark.parametrize("size", [(300, 200), (4200, 2800)])
@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK", "L", "I;16", "RGB;16", "progressive"])
def test_colours_are_right_in_every_pixel_mode(mode: str, size: tuple[int, int]) -> None:
    picture = forest(size)
    if mode == "P":
        picture = picture.quantize(256, dither=Image.Dither.NONE).convert("RGB")
    content = {
        "RGB": lambda: photo(picture=picture, kind="PNG"),
        "P": lambda: saved(picture.quantize(256)),
        "CMYK": lambda: photo(picture=picture, mode="CMYK"),
        "L": lambda: photo(picture=picture, mode="L"),
        "I;16": lambda: png(*size, pixels=sixteen_bits(picture, "L"), depth=16, colour=0),
        "RGB;16": lambda: png(*size, pixels=sixteen_bits(picture, "RGB"), depth=16),
        "progressive": lambda: photo(picture=picture, progressive=True),
    }[mode]()
    preview = opened(content)
    expected = picture.convert("L").convert("RGB") if mode in {"L", "I;16"} else picture
    assert difference(preview, expected.resize(preview.size)) < 6


def test_black_and_white_is_both() -> None:
    halves = Image.new("1", (3000, 100))
    halves.paste(1, (0, 0, 1500, 100))
    preview = opened(saved(halves))
    assert preview.size == (1024, 34)
    assert min(preview.getpixel((100, 17))) > 250
    assert max(preview.getpixel((900, 17))) < 5


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
@pytest.mark.parametrize("size", [(90, 60), (5000, 3000)])
def test_transparent_parts_are_white(mode: str, size: tuple[int, int]) -> None:
    """Whatever colour a transparent pixel has: black on a dark page would hide a signature."""
    ink = Image.new("RGBA", size, (0, 0, 0, 0))
    ink.paste((40, 40, 40, 255), (0, 0, size[0] // 2, size[1]))
    if mode in {"RGB", "L"}:  # one colour stands for transparency
        content = saved(ink.convert(mode), transparency=(0, 0, 0) if mode == "RGB" else 0)
    else:
        content = saved(ink.quantize(4) if mode == "P" else ink.convert(mode))
    preview = opened(content)
    width, height = preview.size
    assert max(preview.getpixel((width // 4, height // 2))) < 60
    assert min(preview.getpixel((width * 3 // 4, height // 2))) > 250


def profile_with_swapped_colours() -> bytes:
    """Return an RGB profile in which red is green: its tags for the two are exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    return profile.replace("sRGB".encode("utf-16-be"), "ours".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_colours_are_converted_from_the_photos_profile(kind: str) -> None:
    red = Image.new("RGB", (64, 48), (200, 30, 30))
    preview = opened(saved(red, kind, icc_profile=profile_with_swapped_colours()))
    r, g, b = preview.getpixel((32, 24))
    assert g > 150 > 90 > max(r, b)


@pytest.mark.parametrize(
    "profile", [b"nonsense", profile_with_swapped_colours()[:300], b"\0" * 200]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes, mode: str) -> None:
    picture = forest((64, 48)).convert(mode)
    with_profile = previews_of(saved(picture, "JPEG", icc_profile=profile))
    assert with_profile == previews_of(saved(picture, "JPEG"))


def test_a_profile_of_other_colours_than_the_photos_is_ignored() -> None:
    grey = forest((64, 48)).convert("L")
    content = saved(grey, "JPEG", icc_profile=profile_with_swapped_colours())
    assert previews_of(content) == previews_of(saved(grey, "JPEG"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "MPO"])
def test_of_several_pictures_the_first_is_shown(kind: str) -> None:
    first, other = forest((300, 200)), Image.new("RGB", (300, 200), "red")
    timing = {} if kind == "MPO" else {"duration": 100, "lossless": True}
    content = saved(first, kind, save_all=True, append_images=[other], **timing)
    assert difference(opened(content), first) < 4


def test_a_photo_whose_previews_cannot_be_made_has_its_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    whole = read_photo(MemorySource(photo()))
    monkeypatch.setattr(photo_module, "encode_previews", fail)
    read = read_photo(MemorySource(photo()))
    assert (read.findings, read.objects) == (whole.findings, {})


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "CMYK"])
def test_previews_of_the_most_pixels_fit_into_the_sandbox(mode: str) -> None:
    picture = forest((100, 50))
    picture = picture.quantize(8) if mode == "P" else picture.convert(mode)
    large = picture.resize((10_000, 5_000), Image.Resampling.NEAREST)
    jpeg = mode == "CMYK"
    content = saved(large, "JPEG", quality=30) if jpeg else saved(large, compress_level=1)
    read = run_in_sandbox(read_photo, MemorySource(content))
    assert sorted(read.objects) == sorted(ROLES)
    preview = Image.open(io.BytesIO(read.objects["preview_1024"])).convert("RGB")
    assert difference(preview, picture.convert("RGB").resize((1024, 512), 0)) < 12


@pytest.mark.django_db
def test_previews_are_current_objects_of_the_run(settle: Receive) -> None:
    file = settle(photo((400, 300)), name="load.jpg")
    assert (file.status, file.has_preview) == (File.Status.SUCCESS, True)
    rows = {row.role: row for row in Derivative.objects.filter(file=file)}
    assert rows.keys() == set(ROLES)
    for role, row in rows.items():
        assert (row.run, row.is_current) == (file.run, True)
        with store().open_bytes(row.storage_key) as stream:
            content = stream.read()
        assert len(content) == row.size
        assert content == previews_of(photo((400, 300)))[role]


@pytest.mark.django_db
def test_a_damaged_photo_has_no_preview(settle: Receive) -> None:
    file = settle(photo((400, 300))[:-400], name="load.jpg")
    assert (file.status, file.has_preview) == (File.Status.FAILURE, False)
    assert not Derivative.objects.exists()
