"""Finds the columns of a tally by their headers, however people spell them, and their units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from timba.files.processors.base import FileRefused

BARCODE, LENGTH, BREADTH, HEIGHT = "barcode", "length", "breadth", "height"
FIELDS: Final = (BARCODE, LENGTH, BREADTH, HEIGHT)
MEASURES: Final = (LENGTH, BREADTH, HEIGHT)

# The clearer word first: beside a column “Barcode”, one that is headed “No.” counts the rows.
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    BARCODE: (
        *("barcode", "bar code", "svītrkods", "strichcode", "tag", "tag no", "tag number"),
        *("tag id", "label", "etiķete", "etikett", "log barcode", "log id", "log no"),
        *("log number", "stammnummer", "id", "number", "no", "nr", "numurs", "nummer", "#"),
    ),
    LENGTH: ("length", "log length", "garums", "länge", "laenge", "len", "l"),
    BREADTH: ("breadth", "width", "platums", "breite", "b", "w"),
    HEIGHT: ("height", "thickness", "augstums", "biezums", "höhe", "hoehe", "dicke", "h", "t"),
}
# Metres, exactly.
UNITS: Final[Mapping[str, Decimal]] = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "metri"), Decimal(1)),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter"), Decimal("0.01")),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter"), Decimal("0.001")),
    **dict.fromkeys(("ft", "foot", "feet", "'"), Decimal("0.3048")),
    **dict.fromkeys(("in", "inch", "inches", "zoll", '"'), Decimal("0.0254")),
}
# In what a log is measured, and what a header without a unit means.
KEPT_IN: Final[Mapping[str, Decimal]] = {
    LENGTH: UNITS["m"],
    BREADTH: UNITS["cm"],
    HEIGHT: UNITS["cm"],
}
_LONGEST: Final = 60
_BLANKS: Final = str.maketrans("._-", "   ")
_IN_BRACKETS: Final = re.compile(r"([^(\[]+)[(\[]([^)\]]*)[)\]]")
_WORDS: Final = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_BEHIND: Final = re.compile(rf"(.+?)(?:[,;/:]|\s+in\s|\s)\s*({_WORDS})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Where a sheet says what: the index of each field's column, and what its numbers mean.

    `factors` turn a number of a measure's column into what a log is measured in.
    """

    index: Mapping[str, int]
    factors: Mapping[str, Decimal]


def find_columns(cells: Sequence[Any]) -> Columns | frozenset[str]:
    """Return the columns that a row heads, or the fields that it lacks when it is no header.

    Raises FileRefused for a header whose meaning is not clear.
    """
    headings = [_heading(cell) for cell in cells]
    found = {field: _best(field, headings) for field in FIELDS}
    lacking = frozenset(field for field, columns in found.items() if not columns)
    if lacking:
        return lacking
    for columns in found.values():
        if len(columns) > 1:
            raise FileRefused(_twice(cells, columns))
    index = {field: columns[0] for field, columns in found.items()}
    factors = {}
    for measure in MEASURES:
        _, unit = headings[index[measure]]
        if unit and unit not in UNITS:
            title = str(cells[index[measure]]).strip()
            raise FileRefused(
                f"The header “{title}” names a unit that is not known. Use m, cm, mm, ft or in."
            )
        factors[measure] = (UNITS[unit] if unit else KEPT_IN[measure]) / KEPT_IN[measure]
    return Columns(index=index, factors=factors)


def column_letters(index: int) -> str:
    """Return the letters by which spreadsheets call a column: 0 is A, 26 is AA."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _best(field: str, headings: Sequence[tuple[str, str]]) -> list[int]:
    """Return the columns headed by the clearest word for a field that any is headed by."""
    for word in SPELLINGS[field]:
        columns = [index for index, (name, _) in enumerate(headings) if name == word]
        if columns:
            return columns
    return []


def _heading(cell: Any) -> tuple[str, str]:
    """Return a header's word and its unit, as they are written in the tables above."""
    if not isinstance(cell, str) or len(cell) > _LONGEST:
        return "", ""
    text = _plain(cell)
    if any(text in words for words in SPELLINGS.values()):
        return text, ""
    split = _IN_BRACKETS.fullmatch(text) or _BEHIND.fullmatch(text)
    return (_plain(split[1]), _plain(split[2])) if split else (text, "")


def _plain(text: str) -> str:
    """Return a header as it is looked up: in lower case, its words one blank apart."""
    words = unicodedata.normalize("NFC", text).casefold().translate(_BLANKS).split()
    return " ".join(words).strip(" :,;/")


def _twice(cells: Sequence[Any], columns: Sequence[int]) -> str:
    titles = " and ".join(f"{column_letters(i)} (“{str(cells[i]).strip()}”)" for i in columns)
    return f"The columns {titles} say the same. Keep one of them, or rename the other."
