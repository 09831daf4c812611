"""Finds the columns of a tally by their headers, in several spellings and languages, with units."""

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

# The least ambiguous first: next to a column “Barcode”, the column “No.” numbers the rows.
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
# Exact lengths in metres.
UNITS: Final[Mapping[str, Decimal]] = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "metri"), Decimal(1)),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter"), Decimal("0.01")),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter"), Decimal("0.001")),
    **dict.fromkeys(("ft", "foot", "feet", "'"), Decimal("0.3048")),
    **dict.fromkeys(("in", "inch", "inches", "zoll", '"'), Decimal("0.0254")),
}
# The unit in which a measure of a log is stored, and that of a header without a unit.
STORED_UNITS: Final[Mapping[str, Decimal]] = {
    LENGTH: UNITS["m"],
    BREADTH: UNITS["cm"],
    HEIGHT: UNITS["cm"],
}
# A longer cell is no header.
_MAX_HEADER: Final = 60
_SEPARATORS: Final = str.maketrans("._-", "   ")
_UNIT_IN_BRACKETS: Final = re.compile(r"([^(\[]+)[(\[]([^)\]]*)[)\]]")
_UNIT_NAMES: Final = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_TRAILING_UNIT: Final = re.compile(rf"(.+?)(?:[,;/:]|\s+in\s|\s)\s*({_UNIT_NAMES})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The index of each field's column in a row, and the factors of the measures' units.

    A number times its factor is in metres for the length, and in centimetres for the breadth and
    the height.
    """

    index: Mapping[str, int]
    factors: Mapping[str, Decimal]


def find_columns(cells: Sequence[Any]) -> Columns | frozenset[str]:
    """Return the columns under a header row; for any other row, the fields without a column.

    Raises FileRefused for an ambiguous header or an unknown unit.
    """
    headers = [_parse_header(cell) for cell in cells]
    candidates = {field: _find_candidates(field, headers) for field in FIELDS}
    missing = frozenset(field for field, columns in candidates.items() if not columns)
    if missing:
        return missing
    for columns in candidates.values():
        if len(columns) > 1:
            raise FileRefused(_duplicate_message(cells, columns))
    index = {field: columns[0] for field, columns in candidates.items()}
    factors = {}
    for measure in MEASURES:
        _, unit = headers[index[measure]]
        if unit and unit not in UNITS:
            title = str(cells[index[measure]]).strip()
            raise FileRefused(
                f"The header “{title}” names a unit that is not known. Use m, cm, mm, ft or in."
            )
        factors[measure] = (UNITS[unit] if unit else STORED_UNITS[measure]) / STORED_UNITS[measure]
    return Columns(index=index, factors=factors)


def column_letters(index: int) -> str:
    """Return the letters of a column in a spreadsheet: A for 0, AA for 26."""
    letters = ""
    number = index + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def _find_candidates(field: str, headers: Sequence[tuple[str, str]]) -> list[int]:
    """Return the indexes of the columns headed by the field's least ambiguous spelling in use."""
    for spelling in SPELLINGS[field]:
        columns = [index for index, (name, _) in enumerate(headers) if name == spelling]
        if columns:
            return columns
    return []


def _parse_header(cell: Any) -> tuple[str, str]:
    """Return the normalized name and unit in a header; the unit may be empty or unknown."""
    if not isinstance(cell, str) or len(cell) > _MAX_HEADER:
        return "", ""
    text = _normalize(cell)
    if any(text in spellings for spellings in SPELLINGS.values()):
        return text, ""
    match = _UNIT_IN_BRACKETS.fullmatch(text) or _TRAILING_UNIT.fullmatch(text)
    return (_normalize(match[1]), _normalize(match[2])) if match else (text, "")


def _normalize(text: str) -> str:
    """Return a text in lower case, with one blank between words and no outer punctuation."""
    words = unicodedata.normalize("NFC", text).casefold().translate(_SEPARATORS).split()
    return " ".join(words).strip(" :,;/")


def _duplicate_message(cells: Sequence[Any], columns: Sequence[int]) -> str:
    titles = " and ".join(f"{column_letters(i)} (“{str(cells[i]).strip()}”)" for i in columns)
    return f"The columns {titles} say the same. Keep one of them, or rename the other."
