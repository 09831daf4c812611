"""Numbers and texts are shown as a spreadsheet shows them, and formats of dates are recognised."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from timba.tallies.cells.number_formats import BUILT_IN, DateParts, parse_format

SHOWN = {
    # General
    ("General", "7"): "7",
    ("General", "4.2"): "4.2",
    ("General", "-12.5"): "-12.5",
    ("General", "4750123456789"): "4750123456789",
    ("General", "123456789012345"): "123456789012345",
    ("General", "1234567890123456"): "1.23457E+15",
    ("General", "1E+20"): "1E+20",
    ("General", "0.333333333333333"): "0.333333333",
    ("General", "3.14159265358979"): "3.141592654",
    ("General", "1234567890.12"): "1234567890",
    ("General", "0.00001"): "0.00001",
    ("General", "0.000012345678"): "1.23457E-05",
    ('General" m"', "4.2"): "4.2 m",
    ("@", "7"): "7",
    ('"LV-"@', "7"): "LV-7",
    # Leading zeros, decimals and thousands
    ("00000", "7"): "00007",
    ("0", "4.5"): "5",
    ("0.00", "1.005"): "1.01",
    ("0.000", "4.2005"): "4.201",
    ("0.##", "4"): "4.",
    ("#.##", "0.5"): ".5",
    ("#,##0.00", "1234567.891"): "1,234,567.89",
    ("#,##0", "999"): "999",
    ("0,000", "7"): "0,007",
    ("#,##0,", "1234567"): "1,235",
    ("000-00-0000", "1234567890"): "1234-56-7890",
    ("00\\-000", "7"): "00-007",
    # Texts beside the number
    ('0" mm"', "305"): "305 mm",
    ('0"\'"', "8"): "8'",
    ('"LV-"000', "7"): "LV-007",
    ("0 mm", "305"): "305 mm",
    ("[$€-407] #,##0.00", "5"): "€ 5.00",
    ("_-* #,##0.00_-", "5"): "5.00",
    ("[Red]0", "1"): "1",
    ("0.0,", "1234567"): "1234.6",
    # Percent and scientific notation
    ("0.0%", "0.256"): "25.6%",
    ("0.00E+00", "4750123456789"): "4.75E+12",
    ("0.0E+0", "9.96"): "1.0E+1",
    ("0.0E-0", "0.00012"): "1.2E-4",
    ("##0.0E+0", "12345"): "12.3E+3",
    # Fractions
    ("# ?/?", "12.5"): "12 1/2",
    ("# ?/?", "-12.5"): "-12 1/2",
    ("# ?/?", "0.5"): "1/2",
    ("# ?/?", "12"): "12",
    ("# ?/?", "12.999"): "13",
    ("# ??/??", "12.34375"): "12 11/32",
    ("# ?/8", "3.26"): "3 2/8",
    ("?/?", "1.5"): "3/2",
    # Sections
    ("0;(0)", "-5"): "(5)",
    ("0.0", "-5"): "-5.0",
    ('0;-0;"none"', "0"): "none",
    ('[>100]"big";0', "200"): "big",
    ('[>100]"big";0', "-20"): "-20",
    (";;;", "5"): "",
    ("0;;", "-1"): "",
}


@pytest.mark.parametrize(("code", "number"), SHOWN)
def test_a_number_is_shown_as_its_format_says(code: str, number: str) -> None:
    assert parse_format(code).show(Decimal(number)) == SHOWN[code, number]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", "B-1"),
        ("0", "B-1"),
        ("@", "B-1"),
        ('"LV-"@', "LV-B-1"),
        ('0;-0;0;@" m"', "B-1 m"),
        (";;;", ""),
    ],
)
def test_a_text_is_shown_by_the_section_of_texts(code: str, shown: str) -> None:
    assert parse_format(code).show_text("B-1") == shown


DAY, TIME = DateParts(day=True, time=False, duration=False), DateParts(False, True, False)
DATES = {
    "m/d/yyyy": DAY,
    "[$-409]mmm d, yyyy": DAY,
    "yyyy\\-mm": DAY,
    "d": DAY,
    "h:mm": TIME,
    "h:mm AM/PM": TIME,
    "h:mm:ss.000": TIME,
    "mm:ss.0": TIME,
    "m/d/yyyy h:mm": DateParts(True, True, False),
    "[h]:mm:ss": DateParts(False, True, True),
    "[s].00": DateParts(False, True, True),
    "0": None,
    "0 mm": None,
    '0" days"': None,
    "[Red]0.00": None,
    "\\d0": None,
    "General": None,
    "@": None,
}


@pytest.mark.parametrize("code", DATES)
def test_a_date_is_told_by_its_format(code: str) -> None:
    assert parse_format(code).date_parts(Decimal("45000.5")) == DATES[code]


@pytest.mark.parametrize("number", [14, 22, 27, 36, 45, 50, 58])
def test_formats_without_a_code_may_be_dates(number: int) -> None:
    assert parse_format(BUILT_IN[number]).date_parts(Decimal(45000)) is not None


def test_a_format_that_makes_no_sense_raises_nothing() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        code = "".join(rng.choices('0#?.,%/E+-"\\_*[]$<>=;@ymdhsGeneral1 a', k=rng.randrange(14)))
        parsed = parse_format(code)
        for number in ("0", "-1", "1.5", "1E+300", "1E-300"):
            assert isinstance(parsed.show(Decimal(number)), str)
            parsed.date_parts(Decimal(number))


def test_a_format_with_hundreds_of_places_shows_the_number_as_general() -> None:
    assert parse_format("0." + "0" * 500).show(Decimal("1.5")) == "1.5"
    assert parse_format("0" * 1001).show(Decimal("1.5")) == "1.5"
