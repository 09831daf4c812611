"""Brings the wording of cells to one form, in which spellings that mean the same are equal.

And says what people call an encoding.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SINGLE_PRIMES: Final = "′’‘ʹ´`"
_DOUBLE_PRIMES: Final = "″”“„ʺ〃"
# Letters and signs that have no decomposition.
_REPLACED: Final = str.maketrans(
    {
        **dict.fromkeys(_SINGLE_PRIMES, "'"),
        **dict.fromkeys(_DOUBLE_PRIMES, '"'),
        **dict.fromkeys("⌀∅Φ", "ø"),
        **dict.fromkeys("\u00ad\u200b\u200e\u200f\ufeff", ""),
        "ł": "l",
        "Ł": "l",
        "đ": "d",
        "°": "o",
        "#": " # ",
        "∑": "σ",
    }
)
# A small raised figure is a footnote, but for those of m² and m³.
_FOOTNOTE: Final = re.compile(r"(?<![mм])[⁰¹²³⁴⁵⁶⁷⁸⁹]+|[¹⁴⁵⁶⁷⁸⁹]+|[*†‡]+")
_INNER_APOSTROPHE: Final = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])")
_PUNCTUATION: Final = re.compile(r"[^\w#'\"]|_")


def unify_primes(text: str) -> str:
    """Return a text whose signs of feet and inches, of many kinds, are ' and " only."""
    for sign in _SINGLE_PRIMES:
        text = text.replace(sign, "'")
    for sign in _DOUBLE_PRIMES:
        text = text.replace(sign, '"')
    return text.replace("''", '"')


def fold(text: str) -> str:
    """Return a text in lower case, without accents, footnotes and punctuation but # ' and "."""
    text = _FOOTNOTE.sub(" ", text).translate(_REPLACED).replace("''", '"')
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return " ".join(_PUNCTUATION.sub(" ", _INNER_APOSTROPHE.sub("", text)).split())


def fold_words(words: str) -> frozenset[str]:
    """Return the words of a text, each folded."""
    return frozenset(map(fold, words.split()))


def normalize_header(text: str) -> str:
    """Return the wording of a header cell, whatever its letter case, blanks and punctuation.

    The signs of feet, inches, numbers and diameters stay, as they tell headers apart.
    """
    text = unicodedata.normalize("NFC", unify_primes(text)).casefold()
    return " ".join(re.sub(r"[^\w#'\"ø³²]|_", " ", text).split())


def encoding_name(encoding: str) -> str:
    """Return the name of an encoding for people: `Windows-1252` for Python's `cp1252`."""
    name = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    return name.upper().replace("CP125", "Windows-125")
