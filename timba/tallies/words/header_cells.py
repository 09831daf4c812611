"""Tells which field of a log a header cell names, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from timba.files.wording import fold, unify_primes
from timba.tallies.words.units import PREPOSITIONS, looks_like_unit, parse_unit
from timba.tallies.words.vocabulary import (
    BARCODE,
    BROAD,
    COUNTER,
    DIAMETER,
    MEASURES,
    NEAR,
    NUMBER_WORDS,
    QUALIFIERS,
    VOLUME,
    WORDS,
)

# A longer text is no header.
MAX_HEADER: Final = 120
_BRACKETS: Final = re.compile(r"[(\[{<]([^()\[\]{}<>]*)[)\]}>]")
_CAMEL_CASE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATOR: Final = re.compile(r"[/|;,\n–—]|\s-\s|-(?=\s)")
_LAST_WORD: Final = re.compile(r"(.*?)([\s,;:/|_.=–—-]+|(?=['\"]))([^\s,;:/|_.=–—-]+)", re.DOTALL)
_FOOTNOTE: Final = re.compile(r"[\s*†‡.,:]*(?:\b[0-9]{1,2}\))?[\s*†‡.,:]*$")
_UNIT_NAMES: Final = frozenset(
    ("unit", "units", "einheit", "unite", "unidad", "jednostka", "ед", "изм", "од", "вим")
)
_CUBIC_METRE: Final = re.compile(r"m3\w*|м3|cbm|cu m|fm|k m3|m cube|cubic met(?:re|er)s?|ktm|tm")
_GLUE: Final = frozenset(("de", "du", "del", "der", "of"))
_SIZES: Final = frozenset((*MEASURES, DIAMETER, VOLUME))
_NON_LATIN: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderCell:
    """What a header cell says: `rank` 0 means exactly so, a higher one is a weaker claim.

    `unknown_unit` is what the cell says in place of a unit among `units.UNITS`: another unit, or
    several. For a volume it is any unit but m³.
    """

    field: str
    rank: int
    unit: str | None = None
    unknown_unit: str | None = None


def parse_header(text: str) -> HeaderCell | None:
    """Return what a header cell says, or None for a text that names no field of a log."""
    if not text.strip() or len(text) > MAX_HEADER:
        return None
    text = _CAMEL_CASE.sub(" ", _unquote(unify_primes(text.strip())))
    bracketed = [part for part in _BRACKETS.findall(text) if _says_something(part)]
    outside = _FOOTNOTE.sub("", _BRACKETS.sub(" ", text)).strip()
    claim = WORDS.get(fold(outside))
    units: list[str] = []
    remarks: list[str] = []
    if claim is None:
        outside, units = _split_units(outside)
        claim = _find_field(outside)
    for part in bracketed:
        other = None if parse_unit(part) or looks_like_unit(part) else _find_field(part)
        if other is None:
            remarks.append(part)
        elif claim and {claim[0], other[0]} <= _SIZES and claim[0] != other[0]:
            return None
        elif claim is None or claim[0] == COUNTER or other[1] < claim[1]:
            claim = other
    if not any(map(_parse_qualified_unit, (*units, *remarks))):
        units += remarks
    else:
        # Beside a unit, a bracket that could be none says something else: “Height cm (average)”.
        units += [each for each in remarks if _may_be_unit(each)]
    return None if claim is None else _header_cell(*claim, units)


def _header_cell(field: str, rank: int, units: Sequence[str]) -> HeaderCell:
    if field == VOLUME:
        other = [unit for unit in units if not _CUBIC_METRE.fullmatch(fold(unit))]
        return HeaderCell(field=field, rank=rank, unknown_unit="/".join(other) or None)
    if field not in (*MEASURES, DIAMETER):
        return HeaderCell(field=field, rank=rank)
    known = {unit for text in units if (unit := _parse_qualified_unit(text))}
    if len(known) > 1 or any(_is_other_unit(text, known) for text in units):
        return HeaderCell(field=field, rank=rank, unknown_unit="/".join(map(str.strip, units)))
    return HeaderCell(field=field, rank=rank, unit=next(iter(known), None))


def _is_other_unit(text: str, known: Set[str]) -> bool:
    """Return whether a text may be a unit that is not known; beside one, words are a remark."""
    if _parse_qualified_unit(text):
        return False
    return not known or looks_like_unit(text) or any(letter.isdigit() for letter in text)


def _find_field(text: str) -> tuple[str, int] | None:
    """Return the field that a text without a unit names, and the rank of its claim."""
    words = _NON_LATIN.sub(" ", fold(text)).strip()
    if found := WORDS.get(words):
        return found
    return _find_among(words.split()) or _find_in_alternatives(text)


def _find_among(words: Sequence[str]) -> tuple[str, int] | None:
    """Return the field of words of which some say nothing, or which all say the same."""
    nouns = [word for word in words if word not in NUMBER_WORDS and word not in _GLUE]
    if len(nouns) < len(words):
        found = WORDS.get(" ".join(nouns))
        if found and found[0] == BARCODE:
            return found
    telling = [word for word in words if word not in QUALIFIERS and not word.isdigit()]
    if found := WORDS.get(" ".join(telling)):
        return found[0], max(found[1], BROAD)
    claims = [WORDS.get(word) for word in telling]
    fields = {claim[0] if claim else None for claim in claims}
    if len(fields) == 1 and None not in fields:
        return min((claim for claim in claims if claim), key=lambda claim: claim[1])
    return None


def _find_in_alternatives(text: str) -> tuple[str, int] | None:
    """Return the field of a header in several languages: “Garums / Length”."""
    parts = [part for part in _SEPARATOR.split(text) if fold(part)]
    if len(parts) < 2:
        return None
    claims = [WORDS.get(fold(part)) or _find_among(fold(part).split()) for part in parts]
    known = [claim for claim in claims if claim]
    if len({field for field, _ in known}) != 1:
        return None
    field, rank = min(known, key=lambda claim: claim[1])
    if len(known) == len(parts):
        return field, rank
    # A language that is not known here.
    return (field, BROAD) if rank <= NEAR else None


def _split_units(text: str) -> tuple[str, list[str]]:
    """Return a text without the units at its end, and those units: “Length, mm”, “Länge in m”."""
    units: list[str] = []
    while match := _LAST_WORD.fullmatch(text):
        rest, separator, word = match.groups()
        word = word.strip("'\"") or word
        is_preposition = units and word.casefold() in PREPOSITIONS and separator.isspace()
        if is_preposition or (fold(word) in _UNIT_NAMES and units):
            text = rest
        elif (parse_unit(word) or looks_like_unit(word)) and fold(rest):
            units.insert(0, word)
            text = rest
        else:
            break
    return text, units


def _parse_qualified_unit(text: str) -> str | None:
    """Return the unit in brackets, which may have words beside it: “nominal, mm”, “unit: mm”."""
    if unit := parse_unit(text):
        return unit
    words = [word for word in fold(text).split() if word not in QUALIFIERS | _UNIT_NAMES]
    return parse_unit(" ".join(words)) if words else None


def _may_be_unit(text: str) -> bool:
    """Return whether a bracket beside a unit may be one, or a factor of it such as “x10”."""
    has_figures = any(letter.isdigit() for letter in text)
    return bool(_parse_qualified_unit(text) or looks_like_unit(text) or has_figures)


def _says_something(text: str) -> bool:
    """Return whether the text of a bracket is more than a footnote or a qualifier."""
    words = fold(text).split()
    return any(word not in QUALIFIERS for word in words) and not re.fullmatch(
        r"\s*[0-9]{1,2}\s*", text
    )


def _unquote(text: str) -> str:
    """Return a text without the quotation marks around it, of which the last is no sign of inch."""
    return (
        text[1:-1].strip() if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"" else text
    )
