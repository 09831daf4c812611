"""Parses the number formats of spreadsheets, to show numbers and texts as the spreadsheet does.

A format has up to four sections: for positive numbers, negative ones, zero, and texts. A date's
format is only recognised as such: how a date is shown depends on the reader's language.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Final, NamedTuple

from timba.tallies.cells.number_display import Token, show_general, show_number

GENERAL: Final = "General"
# The formats that a workbook names by number only. 27 to 36 and 50 to 58 are dates in East Asia.
BUILT_IN: Final[Mapping[int, str]] = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "m/d/yyyy",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "m/d/yyyy h:mm",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;[Red](#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;[Red](#,##0.00)",
    41: "#,##0;(#,##0);-",
    42: "#,##0;(#,##0);-",
    43: "#,##0.00;(#,##0.00);-",
    44: "#,##0.00;(#,##0.00);-",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
    **dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-m-d"),
}
# Spreadsheets allow 255 characters.
_MAX_CODE: Final = 1000
_TOKEN: Final = re.compile(
    r"""
    "(?P<quoted>[^"]*)"? | \\(?P<escaped>.) | (?P<blank>_.?) | (?P<fill>\*.?)
    | \[(?P<elapsed>h+|m+|s+)\] | \[\$(?P<currency>[^\]-]*)[^\]]*\]
    | \[(?P<condition>[<>=]{1,2}-?[0-9.]+)\] | \[(?P<ignored>[^\]]*)\]
    | (?P<general>General) | (?P<half>AM/PM|A/P) | (?P<exponent>E[+-]) | (?P<digit>[0\#?])
    | (?P<point>\.) | (?P<comma>,) | (?P<percent>%) | (?P<slash>/) | (?P<text>@) | (?P<end>;)
    | (?P<date>[ydhs]+|m+) | (?P<literal>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_LITERALS: Final = frozenset(("quoted", "escaped", "currency", "literal"))
_SKIPPED: Final = frozenset(("fill", "ignored"))
_CONDITION: Final = re.compile(r"([<>=]{1,2})(-?[0-9]+(?:\.[0-9]*)?)")
_COMPARISONS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


class _Condition(NamedTuple):
    comparison: str
    operand: Decimal

    def holds(self, value: Decimal) -> bool:
        return _COMPARISONS[self.comparison](value, self.operand)

    @property
    def is_for_negatives(self) -> bool:
        return self.comparison in {"<", "<="} and self.operand <= 0


_NEGATIVE: Final = _Condition("<", Decimal(0))
# By the number of sections, where the format names none.
_DEFAULT_CONDITIONS: Final[Mapping[int, Sequence[_Condition | None]]] = {
    1: [None],
    2: [_Condition(">=", Decimal(0)), _NEGATIVE],
    3: [_Condition(">", Decimal(0)), _NEGATIVE, None],
}


class DateParts(NamedTuple):
    """What a date's format shows: a day, a time of day, or a duration such as 26:30."""

    day: bool
    time: bool
    duration: bool


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[Token, ...]
    condition: _Condition | None

    def has(self, kind: str) -> bool:
        return any(token.kind == kind for token in self.tokens)

    def as_number(self) -> _Section:
        """Return the section of a number, where the letters of dates stand for themselves."""
        tokens = (
            Token("literal", text) if kind in {"date", "half"} else Token(kind, text)
            for kind, text in self.tokens
        )
        return _Section(tuple(tokens), self.condition)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A parsed format. `sections` are those for numbers, `text` the one for texts, if any."""

    code: str
    sections: tuple[_Section, ...]
    text: _Section | None

    @property
    def is_general(self) -> bool:
        return self.code.casefold() in {"general", "@", ""}

    def date_parts(self, value: Decimal) -> DateParts | None:
        """Return what is shown of a number as a date, or None if it is shown as a number."""
        return _date_parts(self._section_for(value)[0].tokens)

    def show(self, value: Decimal) -> str:
        """Return a number as the spreadsheet shows it."""
        section, shows_sign = self._section_for(value)
        try:
            shown = show_number(section.tokens, abs(value))
        except (DecimalException, OverflowError):
            # The format has hundreds of places.
            shown = show_general(abs(value))
        return ("-" if shows_sign and shown else "") + shown

    def show_text(self, text: str) -> str:
        """Return a text as the spreadsheet shows it."""
        if self.text is None:
            return text
        return "".join(text if kind == "text" else shown for kind, shown in self.text.tokens)

    def _section_for(self, value: Decimal) -> tuple[_Section, bool]:
        """Return the section for a number, and whether a minus is put before what it shows."""
        conditions = [section.condition for section in self.sections]
        if not any(conditions):
            conditions = list(_DEFAULT_CONDITIONS[len(conditions)])
        for section, condition in zip(self.sections, conditions, strict=True):
            if condition is None or condition.holds(value):
                return section, value < 0 and not (condition and condition.is_for_negatives)
        return self.sections[-1], value < 0


def parse_format(code: str) -> NumberFormat:
    """Parse the code of a format; no code is invalid, what makes no sense shows as it stands."""
    sections = _split(code if len(code) <= _MAX_CODE else GENERAL)
    text = None
    if len(sections) > 3 or sections[-1].has("text"):
        text = sections[3] if len(sections) > 3 else sections[-1]
        sections = sections[:3] if len(sections) > 3 else sections[:-1] or sections
    return NumberFormat(code=code, sections=tuple(sections), text=text)


def _split(code: str) -> list[_Section]:
    sections: list[_Section] = []
    tokens: list[Token] = []
    condition: _Condition | None = None
    for match in _TOKEN.finditer(code):
        kind = str(match.lastgroup)
        text = match[kind] or ""
        if kind == "end":
            sections.append(_Section(tuple(tokens), condition))
            tokens, condition = [], None
        elif kind == "condition":
            parsed = _CONDITION.fullmatch(text)
            if parsed and parsed[1] in _COMPARISONS:
                condition = _Condition(parsed[1], Decimal(parsed[2]))
        elif kind == "blank":
            tokens.append(Token("literal", " "))
        elif kind in _LITERALS:
            tokens.append(Token("literal", text))
        elif kind not in _SKIPPED:
            tokens.append(Token(kind, text))
    sections.append(_Section(tuple(tokens), condition))
    return [section if _date_parts(section.tokens) else section.as_number() for section in sections]


def _date_parts(tokens: Sequence[Token]) -> DateParts | None:
    """Return what a section shows of a date; a digit counts as one of a second after its point."""
    letters = "".join(text for kind, text in tokens if kind == "date").lower()
    duration = any(kind == "elapsed" for kind, _ in tokens)
    if not letters and not duration:
        return None
    is_after_point = False
    for kind, _ in tokens:
        if kind == "general" or (kind == "digit" and not is_after_point):
            return None
        is_after_point = kind == "point" or (kind == "digit" and is_after_point)
    time = duration or any(letter in "hs" for letter in letters)
    day = any(letter in "yd" for letter in letters) or ("m" in letters and not time)
    return DateParts(day=day, time=time, duration=duration)
