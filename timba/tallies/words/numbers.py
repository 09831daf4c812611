"""Reads the numbers of text cells; whether “,” or “.” is the decimal mark is told by a column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from timba.tallies.words.units import parse_unit

# A longer text is no measure.
MAX_NUMBER: Final = 60
VULGAR_FRACTIONS: Final = "¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_BLANKS: Final = " \u00a0\u2007\u2009\u202f"
# Tape measures and saws divide so; “12/05” is a date.
_DENOMINATORS: Final = frozenset((2, 3, 4, 8, 16, 32, 64))


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How the numbers of a column are written: the decimal mark, “.” or “,”."""

    decimal: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberDecision:
    """The style of a column; `open` where its numbers can be read in two ways.

    `style` is None where it is open, and where every style gives the same numbers. `evidence` is
    the text that decided, or the first one that is open.
    """

    style: NumberStyle | None
    open: bool
    evidence: str


POINT: Final = NumberStyle(".")
COMMA: Final = NumberStyle(",")


def _pattern(decimal: str, thousands: str, *, more: str = "") -> re.Pattern[str]:
    groups = "|".join(f"(?:{mark}[0-9]{{3}})+" for mark in (thousands, f"[{_BLANKS}]", "['’]"))
    whole = rf"[0-9]{{1,15}}|[1-9][0-9]{{0,2}}(?:{groups}){more}"
    return re.compile(rf"(?P<whole>{whole})?(?:{decimal}(?P<decimals>[0-9]{{1,15}}))?", re.ASCII)


_DECIMAL: Final = {
    # Lakhs and crores: 12,34,567.5.
    POINT: _pattern(r"\.", ",", more="|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"),
    COMMA: _pattern(",", r"\."),
}
_FRACTION: Final = re.compile(
    rf"(?:(?P<whole>[0-9]{{1,6}})(?:\s*-\s*|\s+|(?=[{VULGAR_FRACTIONS}])))?"
    rf"(?:(?P<numerator>[1-9][0-9]?)\s*[/⁄]\s*(?P<denominator>[1-9][0-9]?)"
    rf"|(?P<vulgar>[{VULGAR_FRACTIONS}]))",
    re.ASCII,
)
_WORDS: Final = re.compile(r"[^\W\d_]+|[%‰€$£]")
_NUMBER_IN_TEXT: Final = re.compile(
    rf"[.,]?[0-9](?:[0-9.,]|[{_BLANKS}'’](?=[0-9]{{3}}(?![0-9])))*", re.ASCII
)


def decide_style(texts: Iterable[str]) -> NumberDecision:
    """Return the style in which the numbers of a whole column are written.

    A text that is no number says nothing. Numbers of which some read only with a decimal point,
    others only with a decimal comma, are open, as are those of which each can be read both ways.
    """
    evidence: dict[NumberStyle, str] = {}
    undecided = ""
    for text in texts:
        for number in _find_numbers(text):
            point, comma = (parse_number(number, style) for style in (POINT, COMMA))
            if point is None and comma is None:
                continue
            if comma is None:
                evidence.setdefault(POINT, text)
            elif point is None:
                evidence.setdefault(COMMA, text)
            elif point != comma:
                undecided = undecided or text
    if len(evidence) == 1:
        [(style, text)] = evidence.items()
        return NumberDecision(style=style, open=False, evidence=text)
    undecided = evidence.get(COMMA, undecided)
    return NumberDecision(style=None, open=bool(undecided), evidence=undecided)


def parse_number(text: str, style: NumberStyle | None) -> Decimal | Fraction | None:
    """Return the number that a text is, exactly, or None.

    Without a style, only what is the same in each. A percentage, an exponent, a number with more
    than 15 digits before or behind its decimal mark is none.
    """
    if len(text) > MAX_NUMBER:
        return None
    if style is None:
        point, comma = parse_number(text, POINT), parse_number(text, COMMA)
        return point if point == comma else None
    text = text.strip()
    sign = -1 if text[:1] in ("-", "−") else 1
    if text[:1] in ("-", "−", "+"):
        text = text[1:].lstrip()
    if fraction := _FRACTION.fullmatch(text):
        value = _fraction(fraction)
        return None if value is None else sign * value
    match = _DECIMAL[style].fullmatch(text)
    if not match or not text:
        return None
    whole = re.sub(r"[^0-9]", "", match["whole"] or "0")
    decimals = match["decimals"]
    return sign * Decimal(f"{whole}.{decimals}" if decimals else whole)


def _find_numbers(text: str) -> list[str]:
    """Return the numbers in a text that holds nothing else but units."""
    if len(text) > MAX_NUMBER or any(parse_unit(word) is None for word in _WORDS.findall(text)):
        return []
    return [number.rstrip(".,") for number in _NUMBER_IN_TEXT.findall(text)]


def _fraction(match: re.Match[str]) -> Fraction | None:
    whole = int(match["whole"] or 0)
    if match["vulgar"]:
        return whole + Fraction(unicodedata.numeric(match["vulgar"])).limit_denominator(8)
    numerator, denominator = int(match["numerator"]), int(match["denominator"])
    if denominator not in _DENOMINATORS or (match["whole"] and numerator >= denominator):
        return None
    return whole + Fraction(numerator, denominator)
