"""The decimal mark of a column is decided by all its texts; its numbers are exact."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timba.tallies.words.numbers import COMMA, POINT, NumberStyle, decide_style, parse_number

WHOLE = st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize(
    ("texts", "style", "evidence"),
    [
        (["4.2", "3.9"], POINT, "4.2"),
        (["4,2", "3,9"], COMMA, "4,2"),
        (["1,250", "12,5"], COMMA, "12,5"),
        (["4,200", "12.5"], POINT, "12.5"),
        (["4.200", "12,5"], COMMA, "12,5"),
        (["1.234,5"], COMMA, "1.234,5"),
        (["1,234.5"], POINT, "1,234.5"),
        (["4.200", "1.234.567"], COMMA, "1.234.567"),
        (["12,34,567"], POINT, "12,34,567"),
        (["0,305"], COMMA, "0,305"),
        (["1234.567"], POINT, "1234.567"),
        (["4 200,5"], COMMA, "4 200,5"),
        (["4'200.50"], POINT, "4'200.50"),
        (["4,20 m"], COMMA, "4,20 m"),
        (["3.5 ft", "8' 6 1/2\""], POINT, "3.5 ft"),
        (["see 12.5 above", "4,2"], COMMA, "4,2"),
        (["12.05.2024", "50.5%", "1.5e3", "4,2"], COMMA, "4,2"),
    ],
)
def test_one_text_decides_that_can_only_be_read_in_one_way(
    texts: list[str], style: NumberStyle, evidence: str
) -> None:
    decision = decide_style(texts)
    assert (decision.style, decision.open, decision.evidence) == (style, False, evidence)


@pytest.mark.parametrize(
    ("texts", "evidence"),
    [
        (["850", "4,200", "3,900"], "4,200"),
        (["4.200", "3.900", "850"], "4.200"),
        (["4.200 mm"], "4.200 mm"),
        (["12.5", "12,5"], "12,5"),
        (["12.5", "0,305"], "0,305"),
    ],
)
def test_columns_that_can_be_read_in_two_ways_are_open(texts: list[str], evidence: str) -> None:
    decision = decide_style(texts)
    assert (decision.style, decision.open, decision.evidence) == (None, True, evidence)


@pytest.mark.parametrize(
    "texts", [[], ["850", "4 200"], ["4'200"], ["8'6\"", "12 1/2"], ["none", ""]]
)
def test_whole_numbers_and_fractions_need_no_decimal_mark(texts: list[str]) -> None:
    decision = decide_style(texts)
    assert (decision.style, decision.open, decision.evidence) == (None, False, "")


@pytest.mark.parametrize(
    ("text", "style", "number"),
    [
        ("4.20", POINT, Decimal("4.20")),
        ("4,20", COMMA, Decimal("4.20")),
        (" 4200 ", None, Decimal(4200)),
        ("4,200", POINT, Decimal(4200)),
        ("4.200", COMMA, Decimal(4200)),
        ("4 200", None, Decimal(4200)),
        ("4\u00a0200", None, Decimal(4200)),
        ("4\u202f200,5", COMMA, Decimal("4200.5")),
        ("4’200", None, Decimal(4200)),
        ("12,34,567.5", POINT, Decimal("1234567.5")),
        (".5", POINT, Decimal("0.5")),
        ("+4.2", POINT, Decimal("4.2")),
        ("-4.2", POINT, Decimal("-4.2")),
        ("−4,2", COMMA, Decimal("-4.2")),
        ("12 1/2", None, Fraction(25, 2)),
        ("12-1/2", None, Fraction(25, 2)),
        ("12½", None, Fraction(25, 2)),
        ("5⅜", None, Fraction(43, 8)),
        ("3/4", None, Fraction(3, 4)),
        ("1⁄2", None, Fraction(1, 2)),
        ("5/4", None, Fraction(5, 4)),
    ],
)
def test_numbers(text: str, style: NumberStyle | None, number: Decimal | Fraction) -> None:
    assert parse_number(text, style) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", ".", "5.", "1e3", "12.5%", "4.2.1", "1,23", "12,3456", "0,305", "1,2345.6"),
        *("4 20", "4 2000", "12/05", "10/12", "12 5/4", "1/0", "0/4", "8-6", "30x25", "$5", "٤"),
        *("1" * 16, "0." + "1" * 16, "1" * 100),
    ],
)
def test_other_texts_are_no_numbers(text: str) -> None:
    assert parse_number(text, POINT) is None


@pytest.mark.parametrize("text", ["4.2", "4,2", "4,200", "4.200"])
def test_a_decimal_mark_without_a_style_is_not_guessed(text: str) -> None:
    assert parse_number(text, None) is None


@given(whole=WHOLE, decimals=st.from_regex(r"[0-9]{0,6}", fullmatch=True), grouped=st.booleans())
def test_numbers_come_back_in_each_style(*, whole: int, decimals: str, grouped: bool) -> None:
    number = Decimal(f"{whole}.{decimals}") if decimals else Decimal(whole)
    for style, thousands in ((POINT, ","), (COMMA, ".")):
        text = f"{whole:,}".replace(",", thousands) if grouped else str(whole)
        text += f"{style.decimal}{decimals}" if decimals else ""
        assert parse_number(text, style) == number


@given(text=st.text(alphabet="0123456789.,' -/½\"′", max_size=12))
def test_a_decision_reads_its_own_evidence(text: str) -> None:
    decision = decide_style([text])
    if decision.style:
        assert not decide_style([text, decision.evidence]).open
