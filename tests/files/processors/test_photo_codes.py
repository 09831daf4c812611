"""Codes in photos are read in the sandbox, in any direction, and link a photo to its log."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from tests.factories import UserFactory
from tests.files.conftest import Receive, UseProcessors
from tests.files.samples import MemorySource, forest, photo
from timba.accounts.models import User
from timba.consignments.logs import add_log
from timba.consignments.models import Log
from timba.consignments.services import open_consignment
from timba.files import photos
from timba.files.models import File
from timba.files.processors.base import ReadResult
from timba.files.processors.photo_codes import read_codes, read_photo_codes
from timba.files.schemas import serialize_file

SIZE = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}


def tag(text: str, code_format: str = "QRCode", width: int = 240) -> Image.Image:
    """Return the picture of a code."""
    code = zxingcpp.create_barcode(text, zxingcpp.barcode_format_from_str(code_format))
    image = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=4)).convert("L")
    return image.resize((width, width * image.height // image.width), Image.Resampling.LANCZOS)


def scene(*tags: Image.Image, size: tuple[int, int] = (1600, 1200)) -> Image.Image:
    """Return a picture with tags in it."""
    picture = forest(size)
    for number, image in enumerate(tags):
        picture.paste(image, (60 + 300 * (number % 5), 60 + 300 * (number // 5)))
    return picture


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("text", "code_format"),
    [
        ("B-123", "QRCode"),
        ("B-123", "DataMatrix"),
        ("B-123", "Code128"),
        ("B-123", "Code39"),
        ("B-123", "Aztec"),
        ("B-123", "PDF417"),
        ("4006381333931", "EAN13"),
    ],
)
@pytest.mark.parametrize("turned", [0, 90, 180])
def test_codes_are_read_in_any_direction(text: str, code_format: str, turned: int) -> None:
    picture = scene(tag(text, code_format, 400).rotate(turned, expand=True))
    source = MemorySource(photo(picture=picture))
    assert read_photo_codes(source) == {"codes": [text]}


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "I;16"), ("WEBP", "RGB")],
)
def test_codes_are_read_in_every_kind_of_picture(kind: str, mode: str) -> None:
    picture = scene(tag("B-123", width=400), size=(3000, 2200)).convert("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 256)
    content = io.BytesIO()
    picture.convert(mode).save(content, kind)
    assert read_photo_codes(MemorySource(content.getvalue())) == {"codes": ["B-123"]}


@pytest.mark.only_on("sqlite")
def test_codes_are_read_in_photos_without_their_end_and_on_transparent_ground() -> None:
    content = photo(picture=scene(tag("B-123", width=400)))
    assert read_photo_codes(MemorySource(content[:-2])) == {"codes": ["B-123"]}
    ink = tag("B-123", width=400).convert("L").point(lambda grey: 255 - grey)
    picture = Image.new("RGBA", ink.size, "black")
    picture.putalpha(ink)
    png = io.BytesIO()
    picture.save(png, "PNG")
    assert read_photo_codes(MemorySource(png.getvalue())) == {"codes": ["B-123"]}


@pytest.mark.only_on("sqlite")
def test_texts_of_codes_are_in_normal_form_and_could_be_barcodes() -> None:
    texts = ["Be\u0304rzs\u00a0 7", "BĒRZS 7", "x" * 51, "B\x1d1", "line\nbreak"]
    assert read_codes(scene(*map(tag, texts)).convert("L")) == ["Bērzs 7"]


@pytest.mark.only_on("sqlite")
def test_a_picture_of_more_than_ten_codes_shows_no_single_log() -> None:
    tags = [tag(f"B-{number}") for number in range(11)]
    assert len(read_codes(scene(*tags[:10]).convert("L"))) == 10
    assert read_codes(scene(*tags).convert("L")) == []


@pytest.mark.only_on("sqlite")
def test_a_picture_without_codes_has_none() -> None:
    noise = Image.frombytes("L", (800, 600), random.Random(1).randbytes(800 * 600))
    assert read_codes(noise) == []


# --- Links ---------------------------------------------------------------------------------------


@pytest.fixture
def logs(owner: User, use_processors: UseProcessors) -> list[Log]:
    """Return three logs of a load."""
    use_processors("timba.files.photos.PROCESSOR")
    load = open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="hardwood")
    return [
        add_log(actor=owner, consignment=load, barcode=barcode, **SIZE)
        for barcode in ("B-123", "C-10", "7")
    ]


def link_of(file: File) -> tuple[int | None, str | None]:
    """Return the log that a file is linked to, and what its result says of it."""
    result = serialize_file(file)["result"]
    assert file.status == "SUCCESS"
    assert result is not None
    assert "codes" not in result
    return file.log_id, result["linked_by"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("codes", "name", "expected"),
    [
        (["b-123"], "IMG_0001.jpg", ("B-123", "code")),
        (["7"], "IMG_0001.jpg", ("7", "code")),
        (["X-1", "B-123"], "IMG_0001.jpg", ("B-123", "code")),
        (["B-123", "C-10"], "IMG_0001.jpg", None),
        (["B-1234"], "IMG_0001.jpg", None),
        (["https://example.org/B-123"], "IMG_0001.jpg", None),
        (["C-10"], "B-123.jpg", ("B-123", "name")),
        (["C-10"], "B-123 C-10.jpg", ("C-10", "code")),
    ],
)
def test_a_photo_is_linked_to_the_one_log_whose_code_it_shows(
    codes: Sequence[str],
    name: str,
    expected: tuple[str, str] | None,
    settle: Receive,
    logs: list[Log],
) -> None:
    file = settle(photo(picture=scene(*map(tag, codes))), name=name)
    barcodes = {log.barcode: log.pk for log in logs}
    assert link_of(file) == ((barcodes[expected[0]], expected[1]) if expected else (None, None))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "linked_by"), [("B-123.jpg", "name"), ("IMG_0001.jpg", None)], ids=["name", "no logs"]
)
def test_codes_are_not_read_where_they_decide_nothing(
    name: str,
    linked_by: str | None,
    settle: Receive,
    logs: list[Log],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> ReadResult:
        raise AssertionError

    monkeypatch.setattr(photos, "run_in_sandbox", refuse)
    if linked_by is None:
        Log.unscoped.filter(pk__in=[log.pk for log in logs]).delete()
    assert link_of(settle(photo(picture=scene(tag("B-123"))), name=name))[1] == linked_by


@pytest.mark.django_db
@pytest.mark.parametrize(
    "codes", [None, "B-123", [7], ["B\x00123"], ["x" * 51], {"B-123": 1}, [["B-123"]]]
)
def test_what_the_sandbox_returns_is_not_trusted(
    codes: object, settle: Receive, logs: list[Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    untrusted: Callable[..., ReadResult] = lambda *_, **__: ReadResult(findings={"codes": codes})  # noqa: E731
    monkeypatch.setattr(photos, "run_in_sandbox", untrusted)
    assert link_of(settle(photo(), name="IMG_0001.jpg")) == (None, None)


@pytest.mark.django_db
def test_a_code_of_another_clients_log_links_nothing(settle: Receive, logs: list[Log]) -> None:
    stranger = UserFactory()
    load = open_consignment(actor=stranger, client=stranger.client, name="L", type="hardwood")
    add_log(actor=stranger, consignment=load, barcode="D-40", **SIZE)
    assert link_of(settle(photo(picture=scene(tag("D-40"))), name="a.jpg")) == (None, None)
