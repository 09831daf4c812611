"""The units in which tally sheets give measures, and their words in the languages of the trade."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from timba.files.wording import fold

# Exact lengths in metres.
UNITS: Final[Mapping[str, Decimal]] = {
    "mm": Decimal("0.001"),
    "cm": Decimal("0.01"),
    "m": Decimal(1),
    "in": Decimal("0.0254"),
    "ft": Decimal("0.3048"),
}
UNIT_WORDS: Final[Mapping[str, str]] = {
    "mm": "millimetres",
    "cm": "centimetres",
    "m": "metres",
    "in": "inches",
    "ft": "feet",
}
# Words that may stand between a measure and its unit: “Length in mm”, “Wymiary w mm”.
PREPOSITIONS: Final = frozenset(("in", "en", "w", "v", "по", "в", "у", "i", "par", "per", "aus"))

# Folded words, in which “й” is “и”: stems with the endings that they have in twelve languages.
_METRE: Final = r"mee?t(?:er|re|ro|r)(?:s|n|y|i|a|u|ow|os|ai|ais|as|iem|it|ia|id|ites|ach|eina)?"
_METRE_CYRILLIC: Final = "метр(?:а|у|ы|ов|ах|ам|и|ів)?"
_WORDS: Final[Mapping[str, str]] = {
    "mm": rf"mm|mill?i(?:{_METRE})?|милл?иметр[а-я]*|мілі{_METRE_CYRILLIC}|мм",
    "cm": rf"cm|(?:[cz]enti|centy|senti|sentti|santi)(?:{_METRE})?|cent|санти{_METRE_CYRILLIC}|см",
    "m": rf"m|mt|mts|mtr|mtrs|{_METRE}|{_METRE_CYRILLIC}|м",
    "in": (
        r"\"|in|ins|inch|inchs|inches|zoll|tum|pulg|pulgadas?|pouces?|po|cal|cale|calle|cali|calach"
        "|coll?[au]s?|collas|coli(?:s|ai|ais|u)|toll|tolli|tollid|tollides|tuuma|tuumaa|tuumat"
        "|tuumina|дюим(?:а|ы|ов|ах|и|ів)?"
    ),
    "ft": (
        "'|ft|fts|foot|feet|fuss|pieds?|pies?|stopa|stopy|stopach|ped(?:a|as|u|os|omis)"
        "|jal(?:g|ga|ad|gades|ka|kaa|at|koina)|fot|fots|fotter|фут(?:а|ы|ов|ах|и|ів)?|стоп[аи]"
    ),
}
_PATTERNS: Final = {unit: re.compile(words) for unit, words in _WORDS.items()}
# Words between two units: “feet and inches”.
_JOINING: Final = frozenset(("and", "or", "und", "et", "y", "i", "un", "ir", "ja", "och", "и", "x"))
# Units of a kind that no log is registered in: a person has to say what is meant.
_UNKNOWN: Final = re.compile(
    rf"yds?|yards?|dm|dec[iy]{_METRE}|detsi{_METRE}|desi{_METRE}|dezi{_METRE}|деци{_METRE_CYRILLIC}"
    rf"|дм|km|kilo{_METRE}|км|lines?|lin|µm|μm|um|microns?|mils?|lm|lfm|rm|rft|mb|fathoms?|ells?"
    "|m2|m3|cm2|cm3|cbm|cft|kg|lbs?|tonnes?|tons?|sun|shaku|вершк?ок?|аршин|(?:8|16|32|64)ths"
)


def parse_unit(text: str) -> str | None:
    """Return the unit that a text is, a key of UNITS, or None."""
    name = _unit_name(text)
    for unit, pattern in _PATTERNS.items():
        if pattern.fullmatch(name):
            return unit
    return None


def looks_like_unit(text: str) -> bool:
    """Return whether a text names a unit that is not among UNITS, or several units at once.

    A measure with its unit (“4.2 m”) is none.
    """
    name = _unit_name(text)
    if _UNKNOWN.fullmatch(name):
        return True
    if parse_unit(text) is not None or name[:1].isdigit():
        return False
    words = re.findall(r"[^\W\d_]+|['\"]", name)
    named = [word for word in words if parse_unit(word) is not None]
    return bool(named) and all(word in named or word in _JOINING for word in words)


def _unit_name(text: str) -> str:
    """Return the folded text without a preposition before it."""
    words = fold(text).split()
    if len(words) > 1 and words[0] in PREPOSITIONS:
        words = words[1:]
    return " ".join(words)
