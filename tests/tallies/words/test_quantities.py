"""A measure may name its unit in its own cell; what is stored is exact, then rounded half up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from timba.tallies.words.numbers import COMMA, POINT
from timba.tallies.words.quantities import Quantity, parse_quantity, to_stored


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("4.2", Decimal("4.2"), None),
        ("12½", Fraction(25, 2), None),
        ("4'200", Decimal(4200), None),
        ("8'6\"", Fraction(17, 2), "ft"),
        ("8’6”", Fraction(17, 2), "ft"),
        ("8′ 6″", Fraction(17, 2), "ft"),
        ("8'6", Fraction(17, 2), "ft"),
        ("8'6''", Fraction(17, 2), "ft"),
        ("8' 6 1/2\"", Fraction(205, 24), "ft"),
        ("8'-6½\"", Fraction(205, 24), "ft"),
        ("8'0\"", Fraction(8), "ft"),
        ("8 ft 6 in", Fraction(17, 2), "ft"),
        ("8ft. 6in.", Fraction(17, 2), "ft"),
        ("8 feet 6.5 inches", Fraction(205, 24), "ft"),
        ("4 m 20 cm", Fraction(21, 5), "m"),
        ("8′", Decimal(8), "ft"),
        ('6"', Decimal(6), "in"),
        ('5-1/2"', Fraction(11, 2), "in"),
        ("12.5 Zoll", Decimal("12.5"), "in"),
        ("305mm", Decimal(305), "mm"),
        ("305 мм", Decimal(305), "mm"),
        ("4 200 mm", Decimal(4200), "mm"),
        ("4,200 mm", Decimal(4200), "mm"),
    ],
)
def test_measures(text: str, value: Decimal | Fraction, unit: str | None) -> None:
    assert parse_quantity(text, POINT) == Quantity(value, unit)


def test_a_decimal_comma_with_a_unit() -> None:
    assert parse_quantity("4,20 m", COMMA) == Quantity(Decimal("4.20"), "m")


@pytest.mark.parametrize(
    "text",
    [
        "6 m 3 ft",
        "8' 6'",
        "8-6",
        "8'14\"",
        "8'12\"",
        "-8'6\"",
        "4.2 yd",
        "4.2 m3",
        "30x25",
        "6\"8'",
        "m 4",
        "6 in 8 ft",
    ],
)
def test_other_texts_are_no_measures(text: str) -> None:
    assert parse_quantity(text, POINT) is None


@pytest.mark.parametrize(
    ("value", "unit", "measure", "stored"),
    [
        (Decimal(12), "ft", "length", "3.658"),
        (Fraction(17, 2), "ft", "length", "2.591"),
        (Decimal("12.5"), "in", "breadth", "31.750"),
        (Decimal(4200), "mm", "length", "4.200"),
        (Decimal(305), "mm", "height", "30.500"),
        (Decimal("0.305"), "m", "breadth", "30.500"),
        (Decimal("4.2005"), "m", "length", "4.201"),
        (Decimal("4.2004999"), "m", "length", "4.200"),
        (Fraction(1, 3), "in", "height", "0.847"),
        (Decimal("-4.2005"), "m", "length", "-4.201"),
    ],
)
def test_measures_are_stored_exactly(
    value: Decimal | Fraction, unit: str, measure: str, stored: str
) -> None:
    assert to_stored(value, unit, measure) == Decimal(stored)
