"""The normal form of barcodes, and which of them are the same one."""

from __future__ import annotations

import pytest

from timba.consignments.barcode_text import (
    MAX_BARCODE_KEY,
    barcode_key,
    is_barcode,
    normalize_barcode,
)

# Beyond, no character has a letter case or another form.
LAST_LETTER = 0x30000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TB-1", "TB-1"),
        ("  TB-1\t\r\n", "TB-1"),
        ("TB\u00a01", "TB 1"),
        ("TB \u2009\u3000 1", "TB 1"),
        ("\ufeffTB\u200b-\u20601", "TB-1"),
        ("\u200e\u202aخشب-123\u202c", "خشب-123"),
        ("TB\u00ad-1\ufe0f", "TB-1"),
        ("A\u200b \u200bB", "A B"),
        ("E\u0304k\u0327is-7", "\u0112\u0137is-7"),
        ("00042", "00042"),
        ("\u200b \u00a0", ""),
    ],
)
def test_a_barcode_is_kept_in_its_normal_form(text: str, expected: str) -> None:
    assert normalize_barcode(text) == expected
    assert normalize_barcode(expected) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TB-1", "tb-1"),
        ("\u0112\u0137is-7", "e\u0304K\u0327IS-7"),
        ("STRAẞE 7", "strasse  7"),
        ("\u03a3-1", "\u03c2-1"),
        ("дуб-1", "ДУБ-1"),
        ("\u212a-1", "k-1"),
    ],
)
def test_barcodes_that_differ_in_letter_case_or_form_are_the_same(one: str, other: str) -> None:
    assert barcode_key(one) == barcode_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("TB-1", "TB 1"), ("TB-1", "TB-\u06611"), ("1", "01"), ("e", "é")]
)
def test_barcodes_that_differ_in_a_character_are_others(one: str, other: str) -> None:
    assert barcode_key(one) != barcode_key(other)


@pytest.mark.parametrize("text", ["", "x" * 51, "a\tb", "a\nb", "a\x00b", "a\ud800b"])
def test_a_barcode_has_1_to_50_printable_characters(text: str) -> None:
    assert not is_barcode(normalize_barcode(text))


def test_the_key_of_every_character_is_normal_and_fits_its_column() -> None:
    characters = [chr(number) for number in range(LAST_LETTER)]
    keys = {character: barcode_key(character) for character in characters}
    assert [one for one, key in keys.items() if barcode_key(key) != key] == []
    assert max(map(len, keys.values())) * 50 <= MAX_BARCODE_KEY
