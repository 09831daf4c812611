"""PDFs print letters of every script, shaped and in their direction, or say which they cannot."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image

from timba.tallies.exporting import font_files
from timba.tallies.exporting.pdf import write_pdf
from timba.tallies.exporting.tally import Tally, TallyLog

NOTO = Path("/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf")
HAN = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
SYMBOLS = Path("/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf")
with_fonts = pytest.mark.skipif(
    not (NOTO.is_file() and HAN.is_file() and SYMBOLS.is_file()),
    reason="fonts are not installed: apt-get install fonts-noto-core fonts-wqy-microhei"
    " fonts-symbola",
)
NO_FONT = "No font of this server has "


@pytest.fixture
def no_other_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave nothing but the packaged font."""
    monkeypatch.setattr(font_files, "FOLDERS", ())
    for function in (font_files.find_font, font_files._installed_fonts):
        function.cache_clear()
    yield
    for function in (font_files.find_font, font_files._installed_fonts):
        function.cache_clear()


def page_of(*barcodes: str, name: str = "Lorry") -> Any:
    measures = (Decimal("4.230"), Decimal("30.500"), Decimal("25.000"), Decimal("0.323"))
    at = datetime(2026, 3, 2, tzinfo=UTC)
    tally = Tally(
        client="SIA",
        name=name,
        type="hardwood",
        vehicle_number="",
        city="",
        opened_at=at,
        exported_at=at,
        logs=[TallyLog(barcode, *measures) for barcode in barcodes],
    )
    out = io.BytesIO()
    write_pdf(tally, out)
    document = pypdfium2.PdfDocument(out.getvalue())
    assert len(document) == 1
    return document[0]


def text_of(page: Any) -> str:
    return page.get_textpage().get_text_bounded()


def title_of(page: Any) -> str:
    """Return the letters of the title in the order in which they stand, from left to right."""
    text_page, millimetre = page.get_textpage(), page.get_width() / 210
    letters = []
    for position in range(text_page.count_chars()):
        left, bottom, _, _ = text_page.get_charbox(position)
        character = text_page.get_text_range(position, 1)
        if 18 < (page.get_height() - bottom) / millimetre < 27 and not character.isspace():
            letters.append((left, character))
    return "".join(character for _, character in sorted(letters))


def ink(page: Any) -> Image.Image:
    """Return the title of the page as a picture, cut to its letters; ink is white."""
    picture = page.render(scale=6).to_pil().convert("L").point(lambda shade: 255 * (shade < 128))
    millimetre = picture.width / 210
    title = picture.crop((0, int(17 * millimetre), picture.width, int(26 * millimetre)))
    return title.crop(title.getbbox())


def count_gaps(picture: Image.Image) -> int:
    """Return how many gaps there are between letters, from left to right."""
    columns = [
        bool(picture.crop((x, 0, x + 1, picture.height)).getbbox()) for x in range(picture.width)
    ]
    return sum(1 for left, right in pairwise(columns) if left and not right)


@with_fonts
def test_letters_of_every_script_are_printed() -> None:
    barcodes = [
        *("松木-1", "한국-1", "日本語の丸太-カー", "ქართული-1", "தமிழ்-1", "বাংলা-1", "ລາວ-1"),
        *("አማርኛ-1", "🌲-1", "𒀀-1", "ᠮᠣᠩᠭᠣᠯ-1", "Ñandú ŵ-1", "木 дуб ξύλο"),
    ]
    text = text_of(page_of(*barcodes))
    for number, barcode in enumerate(barcodes, start=1):
        assert f"{number} {barcode} 4.230" in text
    assert NO_FONT not in text


@with_fonts
def test_letters_take_the_form_that_their_neighbours_give_them() -> None:
    # In Hindi, letters melt into one; in Thai, marks stand above.
    assert ink(page_of(name="क्ष")).width < ink(page_of(name="कष")).width
    assert ink(page_of(name="ปี่")).width < ink(page_of(name="ปป")).width
    assert ink(page_of(name="ปี่")).height > ink(page_of(name="ป")).height


def test_arabic_letters_are_joined() -> None:
    assert count_gaps(ink(page_of(name="سلم"))) == 0
    # Between these, Arabic leaves gaps.
    assert count_gaps(ink(page_of(name="ادر"))) == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("אבג-12", "12-גבא"),
        ("אב (7)", "(7)בא"),
        ("אב QX", "QXבא"),
        ("QX אב 7", "QX7בא"),
        ("QX אב, גד 7 YZ", "QX7דג,באYZ"),
        ("خب-12", "12-بخ"),
        ("Q خب ١٢", "Q١٢بخ"),
    ],
)
def test_a_line_has_the_direction_of_its_first_letter(name: str, shown: str) -> None:
    assert title_of(page_of(name=name)) == shown


def test_marks_of_direction_do_not_turn_a_text_around() -> None:
    page = page_of("\u202eABC", name="\u202eABC")
    assert title_of(page) == "ABC"
    assert "1 ABC 4.230" in text_of(page)


@with_fonts
def test_what_no_font_has_is_printed_by_number_and_told() -> None:
    text = text_of(page_of("\ue001-7", "A\U0010fffdB", name="X\ue001"))
    assert "1 [U+E001]-7 4.230" in text
    assert "2 A[U+10FFFD]B 4.230" in text
    assert "X[U+E001]" in text
    assert f"{NO_FONT}U+E001 and U+10FFFD." in text


@pytest.mark.usefixtures("no_other_fonts")
def test_without_other_fonts_letters_are_told_by_name_or_number() -> None:
    text = text_of(page_of("🌲-1", "松木-1"))
    assert "1 [U+1F332]-1 4.230" in text
    assert "2 [U+677E][U+6728]-1 4.230" in text
    assert (
        re.sub(r"\s+", " ", text).count(
            f"{NO_FONT}U+1F332 EVERGREEN TREE, U+677E CJK UNIFIED IDEOGRAPH-677E"
            " and U+6728 CJK UNIFIED IDEOGRAPH-6728."
        )
        == 1
    )
    text = text_of(page_of("一丁七万丈三上下不与丐丑专且"))
    assert "U+4E00, U+4E01," in text
    assert "and 2 others." in text
    # The packaged font has these.
    assert NO_FONT not in text_of(page_of("خشب-1", "עץ-1", "дуб-1", "ξύλο-1"))


@with_fonts
def test_each_page_tells_its_own() -> None:
    measures = (Decimal(4), Decimal(30), Decimal(25), Decimal("0.300"))
    barcodes = ["\ue001", *(f"TB-{number}" for number in range(60)), "\ue002"]
    at = datetime(2026, 3, 2, tzinfo=UTC)
    tally = Tally(
        client="SIA", name="Lorry", type="hardwood", vehicle_number="", city="",
        opened_at=at, exported_at=at, logs=[TallyLog(barcode, *measures) for barcode in barcodes],
    )  # fmt: skip
    out = io.BytesIO()
    write_pdf(tally, out)
    texts = [text_of(page) for page in pypdfium2.PdfDocument(out.getvalue())]
    assert [re.findall(f"{NO_FONT}(.*)", text)[0].strip() for text in texts] == [
        "U+E001.", "U+E002.",
    ]  # fmt: skip
