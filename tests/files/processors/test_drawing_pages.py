"""Pages of PDFs are drawn as previews, whatever size they say they have."""

from __future__ import annotations

import io
import json
import zlib

import pytest
from PIL import Image

from tests.files.conftest import Receive
from tests.files.samples import MemorySource, pdf
from timba.files import previews
from timba.files.models import Derivative, File
from timba.files.processors.base import FileRefused
from timba.files.processors.document import DAMAGED, LOCKED, NOT_DRAWN, draw_page
from timba.files.sandbox import TIMED_OUT, run_in_sandbox

pytestmark = pytest.mark.only_on("sqlite")
# Draws the left half of a page of 612 x 792 points red.
RED = "1 0 0 rg 0 0 306 792 re f"


def drawing(operators: str, page: str = "/MediaBox [0 0 612 792]") -> bytes:
    """Return a PDF of one page with these entries, on which these operators draw."""
    content = pdf().decode("latin-1").replace("BT /F1 12 Tf 72 720 Td () Tj ET", operators)
    content = content.replace("/Length 31", f"/Length {len(operators)}")
    return content.replace("/MediaBox [0 0 612 792]", page).encode("latin-1")


def drawn(content: bytes, extra: bytes = b"", role: str = "preview_1024") -> Image.Image:
    objects = draw_page(MemorySource(content, extra)).objects
    image = Image.open(io.BytesIO(objects[role]))
    assert image.format == "WEBP"
    return image.convert("RGB")


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours in the middle of the left and of the right half, in eighths."""
    places = [(image.width * part // 4, image.height // 2) for part in (1, 3)]
    pixels = [image.getpixel(place) for place in places]
    return [tuple(round(value / 32) for value in pixel) for pixel in pixels]


def test_the_first_page_is_drawn_in_both_sizes() -> None:
    content = drawing(RED)
    assert sorted(draw_page(MemorySource(content)).objects) == ["preview_1024", "preview_256"]
    large, small = drawn(content), drawn(content, role="preview_256")
    assert (large.size, small.size) == ((792, 1024), (198, 256))
    assert colours(large) == colours(small) == [(8, 0, 0), (8, 8, 8)]


@pytest.mark.parametrize(
    ("page", "size"),
    [
        ("/MediaBox [0 0 612 792] /Rotate 90", (1024, 792)),
        ("/MediaBox [0 0 612 792] /Rotate 270 /UserUnit 75000", (1024, 792)),
        ("/MediaBox [0 0 612 792] /CropBox [0 0 306 306]", (1024, 1024)),
        ("/MediaBox [0 0 1000000 1000000]", (1024, 1024)),
        ("/MediaBox [0 0 1000000 1]", (1024, 1)),
        ("/MediaBox [0 0 3 1000000000]", (1, 1024)),
        ("/MediaBox [0 0 0.001 0.001]", (1024, 1024)),
        # Of no size: drawn as US letter.
        ("/MediaBox [0 0 0 0]", (792, 1024)),
        ("/MediaBox [0 0 -612 -792]", (792, 1024)),
        ("/MediaBox [0 0 nan inf]", (792, 1024)),
    ],
)
def test_a_page_of_any_size_is_drawn_with_a_bounded_number_of_pixels(
    page: str, size: tuple[int, int]
) -> None:
    assert drawn(drawing(RED, page)).size == size


def test_a_page_that_is_too_long_to_be_drawn_is_refused() -> None:
    with pytest.raises(FileRefused, match=NOT_DRAWN):
        draw_page(MemorySource(drawing(RED, "/MediaBox [0 0 99999999999 1]")))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_is_drawn_by_its_number_in_the_size_asked_for(number: int) -> None:
    content = pdf(3, text="Forty logs")
    asked = json.dumps({"page": number, "sizes": [256]}).encode()
    objects = draw_page(MemorySource(content, asked)).objects
    assert list(objects) == ["preview_256"]
    first = draw_page(MemorySource(content)).objects
    assert objects["preview_256"] == first["preview_256"]


@pytest.mark.parametrize("number", [0, 4, 2**31])
def test_a_page_that_is_not_there_is_refused(number: int) -> None:
    asked = json.dumps({"page": number, "sizes": [256]}).encode()
    with pytest.raises(FileRefused, match=NOT_DRAWN):
        draw_page(MemorySource(pdf(3), asked))


def test_what_is_filled_into_a_form_is_drawn() -> None:
    field = (
        "/Annots [<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (A) /F 4 "
        "/Rect [0 0 306 792] /AP << /N 8 0 R >> >>]"
    )
    form = "/AcroForm << /Fields [] >>"
    content = pdf(catalog=form, xmp="x" * 40).decode("latin-1")
    appearance = "<< /Type /XObject /Subtype /Form /BBox [0 0 306 792] /Length 40 >>\nstream\n"
    body = appearance + f"{RED:<40}" + "\nendstream"
    start = content.index("<< /Type /Metadata")
    end = content.index("endobj", start)
    content = content[:start] + body + "\n" + content[end:]
    content = content.replace("/MediaBox [0 0 612 792]", "/MediaBox [0 0 612 792] " + field)
    assert colours(drawn(content.encode("latin-1"))) == [(8, 0, 0), (8, 8, 8)]


@pytest.mark.parametrize(
    ("content", "sentence"), [(pdf(locked=True), LOCKED), (b"%PDF-1.7\n", DAMAGED)]
)
def test_a_pdf_that_cannot_be_opened_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(FileRefused, match=sentence):
        draw_page(MemorySource(content))


def hostile() -> bytes:
    """Return a small PDF whose page takes seconds to draw: it is painted over and over."""
    painting = zlib.compress(b"0 0 612 792 re f " + b"1000 w 0 0 m 612 792 l S " * 400_000)
    content = drawing(painting.decode("latin-1"))
    return content.replace(b"<< /Length", b"<< /Filter /FlateDecode /Length", 1)


def test_a_page_is_drawn_in_the_sandbox() -> None:
    content = drawing(RED)
    read = run_in_sandbox(draw_page, MemorySource(content))
    assert read.objects == draw_page(MemorySource(content)).objects


@pytest.mark.django_db
def test_the_first_page_is_the_preview_of_a_document(settle: Receive) -> None:
    file = settle(drawing(RED), name="permit.pdf")
    assert (file.status, file.has_preview) == (File.Status.SUCCESS, True)
    rows = Derivative.objects.filter(file=file, run=file.run, is_current=True)
    assert sorted(rows.values_list("role", flat=True)) == ["preview_1024", "preview_256"]


@pytest.mark.django_db
def test_a_document_that_takes_too_long_to_draw_has_its_facts(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "DRAW_SECONDS", 1)
    file = settle(hostile(), name="plan.pdf")
    assert (file.status, file.error, file.result["pages"]) == (File.Status.SUCCESS, "", 1)
    assert file.has_preview is False
    assert not Derivative.objects.exists()
    # The next file is read by a new child.
    assert settle(drawing(RED), name="permit.pdf").has_preview


def test_a_page_that_takes_too_long_is_cut_off() -> None:
    with pytest.raises(FileRefused, match=TIMED_OUT):
        run_in_sandbox(draw_page, MemorySource(hostile()), cpu_seconds=1)
