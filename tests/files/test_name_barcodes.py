"""Which parts of a photo's name count as barcodes."""

from __future__ import annotations

import pytest

from timba.consignments.barcode_text import barcode_key
from timba.files.name_barcodes import longest_parts, name_parts

pytestmark = pytest.mark.only_on("sqlite")


def held(name: str, *barcodes: str) -> list[str]:
    """Return which of the barcodes a name holds, those within a longer one left out."""
    keys = {barcode_key(barcode): barcode for barcode in barcodes}
    parts = longest_parts([part for part in name_parts(name) if part.key in keys])
    return [keys[part.key] for part in parts]


@pytest.mark.parametrize(
    ("name", "barcode"),
    [
        ("B-123.jpg", "B-123"),
        ("B-123_2.jpg", "B-123"),
        ("IMG B-123 (1).jpeg", "B-123"),
        ("tb-1-71.JPG", "TB-1-71"),
        ("(B-123)front.webp", "B-123"),
        ("Stapel Bērzs 7, hinten.heic", "BĒRZS 7"),
        ("Be\u0304rzs\u00a0 7.jpg", "bērzs 7"),
        ("20260302_081044_LV.204.71.png", "lv.204.71"),
        ("#12A.jpg", "#12A"),
        ("A1.jpg", "a1"),
        ("A1 (12).jpg", "A1"),
        ("4750123456789.jpg", "4750123456789"),
        ("4750123456789 (2).jpg", "4750123456789"),
        ("12345-7.jpg", "12345"),
        ("12345-67.jpg", "12345-67"),
        ("00123.jpg", "00123"),
        ("lārče.jpg", "LĀRČE"),
    ],
)
def test_a_whole_barcode_counts(name: str, barcode: str) -> None:
    assert held(name, barcode) == [barcode]


@pytest.mark.parametrize(
    ("name", "barcode"),
    [
        ("B-1234.jpg", "B-123"),
        ("AB-123.jpg", "B-123"),
        ("B-123a\u0301.jpg", "B-123a"),
        ("B-123.jpg", "B-123.jpg"),
        ("B123.jpg", "B-123"),
        # Numbers and dates of cameras, phones and people.
        ("IMG_20260302_123.jpg", "123"),
        ("IMG_20260302_12345.jpg", "12345"),
        ("20260302_123456.jpg", "20260302"),
        ("20260302.jpg", "20260302"),
        ("2026-03-02 (1).jpg", "2026-03-02"),
        ("1.jpg", "1"),
        ("0001.jpg", "0001"),
        ("IMG_0001.jpg", "0001"),
        ("IMG-20260302-WA0007.jpg", "WA0007"),
        ("12345-67.jpg", "12345"),
        ("12345 front.jpg", "12345"),
        ("larch front.jpg", "LARCH"),
        ("oak.jpg", "oak"),
        ("A1 front.jpg", "A1"),
        ("Pixel 8.jpg", "8"),
    ],
)
def test_a_part_that_is_not_certain_does_not_count(name: str, barcode: str) -> None:
    assert held(name, barcode) == []


def test_the_longer_of_two_barcodes_counts_where_it_covers_the_other() -> None:
    assert held("B-12-3.jpg", "B-12", "B-12-3") == ["B-12-3"]
    assert held("B-12-3.jpg", "B-12") == ["B-12"]
    assert held("B-12-3 B-12.jpg", "B-12", "B-12-3") == ["B-12-3", "B-12"]
    assert held("A-12-B-34.jpg", "A-12-B", "12-B-34") == ["A-12-B", "12-B-34"]


def test_a_long_name_of_many_words_has_a_bounded_number_of_parts() -> None:
    assert len(list(name_parts("a1 " * 85))) < 2000
