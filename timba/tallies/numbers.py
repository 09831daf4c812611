"""Reads the numbers of text cells; whether “,” or “.” is the decimal mark is told by a column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

# Longer numbers are no measures.
_MAX_NUMBER: Final = 40
_SPACES: Final = "  \u2007\u2009\u202f"
_APOSTROPHES: Final = "'’"
_SIGN: Final = r"(?P<sign>[-+−]?)\s*"
_VULGAR: Final = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How the numbers of a column are written: the decimal mark, “.” or “,”."""

    decimal: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberDecision:
    """The style of a column: `open` where its numbers can be read in two ways.

    `style` is None where it is open, and where every number is whole; `evidence` is the text
    that decided, or the first that is open.
    """

    style: NumberStyle | None
    open: bool
    evidence: str


POINT: Final = NumberStyle(".")
COMMA: Final = NumberStyle(",")


def decide_style(texts: Iterable[str]) -> NumberDecision:
    return NumberDecision(style=None, open=False, evidence="")


def parse_number(text: str, style: NumberStyle | None) -> Decimal | Fraction | None:
    decimal = style.decimal if style else "."
    if re.fullmatch(r"[0-9]{1,15}(?:[.,][0-9]{1,15})?", text.strip()):
        return Decimal(text.strip().replace(decimal, "."))
    return None
