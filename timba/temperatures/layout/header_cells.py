"""Tells which field of a reading a header cell names, in which unit or zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from timba.files.wording import fold
from timba.temperatures.layout.answers import CITY, DATE, TEMPERATURE, TIME, TIMESTAMP
from timba.temperatures.layout.header_words import (
    BROAD,
    DOUBTFUL,
    EXTREME,
    EXTREME_TEMPERATURE,
    EXTREMES,
    NAME_WORDS,
    NEAR,
    NUMBER_WORDS,
    OTHER,
    OTHER_WORDS,
    QUALIFIERS,
    TEMPERATURE_STEM,
    VALUE,
    WHEN,
    WORDS,
    ZONE,
)
from timba.temperatures.layout.temperature_units import NamedUnit, find_unit, without_unit
from timba.temperatures.layout.zones import ZONE_WORDS, NamedZone, find_zone

# A longer text is no header.
MAX_HEADER: Final = 120
_BRACKETS: Final = re.compile(r"[(\[{<][^()\[\]{}<>]*[)\]}>]")
_OPEN_BRACKET: Final = re.compile(r"[(\[{<].*", re.DOTALL)
CAMEL_CASE: Final = re.compile(r"(?<=[a-z]{2})(?=[A-Z])")
_FIGURES: Final = re.compile(r"[\W\d_]+")
_TEMPERATURE_WORDS: Final = frozenset(("temp", "tmp", "temps", "темп", "lampo"))


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderCell:
    """What a header cell says: `rank` 0 means exactly so, a higher one is a weaker claim."""

    field: str
    rank: int
    unit: NamedUnit | None = None
    zone: NamedZone | None = None


@lru_cache(maxsize=2048)
def parse_header(text: str) -> HeaderCell | None:
    """Return what a header cell says, or None for a text that names nothing known."""
    if not text.strip() or len(text) > MAX_HEADER:
        return None
    split = CAMEL_CASE.sub(" ", text)
    # A bracket says the unit, the zone, or the serial number of a logger.
    outside = _OPEN_BRACKET.sub(" ", _BRACKETS.sub(" ", split)) or split
    claim = _find_when(split) or _find_field(fold(outside))
    if claim is None and outside != split:
        claim = _find_field(fold(split))
    if claim is None or claim[0] in (TEMPERATURE, VALUE):
        return _parse_temperature(split, outside, claim)
    field, rank = claim
    return HeaderCell(field=field, rank=rank, zone=find_zone(text) if field in WHEN else None)


def _parse_temperature(text: str, outside: str, claim: tuple[str, int] | None) -> HeaderCell | None:
    unit = find_unit(_without_remarks(text))
    if unit is not None and len(text) == 1 and text.isascii():
        # Beside A and B, it is no unit.
        return HeaderCell(field=TEMPERATURE, rank=DOUBTFUL, unit=unit)
    # “Temp, °C” says no less than “Temp (°C)”.
    bare = without_unit(outside) if unit is not None else outside
    named = _find_field(fold(bare)) if bare != outside else None
    if named is not None and (claim is None or named[0] == TEMPERATURE):
        claim = named
    if claim is None and unit is not None and unit.unit is not None:
        # A unit alone: “°C”, or “Celsius(°C)”.
        words = fold(without_unit(text)).split()
        claim = (TEMPERATURE, BROAD if set(words) - QUALIFIERS else NEAR)
    if claim is not None and claim[0] == VALUE and unit is not None and unit.unit is not None:
        # “Reading [°C]”.
        claim = (TEMPERATURE, NEAR)
    if claim is None or claim[0] != TEMPERATURE:
        return HeaderCell(field=claim[0], rank=claim[1]) if claim else None
    rank = claim[1]
    if rank == DOUBTFUL and unit is not None and unit.unit is not None:
        rank = NEAR
    return HeaderCell(field=TEMPERATURE, rank=rank, unit=unit)


def _without_remarks(text: str) -> str:
    """Return a header without the brackets of HOBO loggers, which hold serial numbers."""
    return re.sub(r"\([^()]*S/N[^()]*\)?", " ", text)


def _find_when(text: str) -> tuple[str, int] | None:
    """Return the claim of a date and a time: “Date Time, GMT+02:00”, “Date/Time (UTC)”."""
    words = fold(re.sub(r"(?i)\b(?:UTC|GMT)\b.*", " ", _BRACKETS.sub(" ", text)))
    found = WORDS.get(words)
    return found if found and found[0] in WHEN else None


def _find_field(folded: str) -> tuple[str, int] | None:
    if not folded:
        return None
    if found := WORDS.get(folded):
        return found
    if ZONE_WORDS.search(folded):
        return ZONE, NEAR
    words = folded.split()
    nouns = [word for word in words if word not in NUMBER_WORDS | NAME_WORDS]
    named = WORDS.get(" ".join(nouns))
    if named and named[0] == CITY and len(nouns) < len(words):
        # A name is no number, and gives way to a column of numbers.
        return CITY, named[1] + 2 * bool(set(words) & NAME_WORDS)
    if OTHER_WORDS.search(folded):
        return OTHER, NEAR
    return _find_among(folded, words)


def _find_among(folded: str, words: Sequence[str]) -> tuple[str, int] | None:
    """Return the field of words of which some are not known, or say nothing."""
    letters = [word for word in (_FIGURES.sub("", word) for word in words) if word]
    if TEMPERATURE_STEM.search(folded) or _TEMPERATURE_WORDS.intersection(letters):
        if any(EXTREMES.fullmatch(word) for word in letters):
            return TEMPERATURE, EXTREME
        rest = [
            word
            for word in letters
            if not TEMPERATURE_STEM.search(word) and word not in _TEMPERATURE_WORDS
        ]
        return TEMPERATURE, BROAD if set(rest) - QUALIFIERS else NEAR
    if EXTREME_TEMPERATURE.fullmatch(folded):
        return TEMPERATURE, EXTREME
    if all(EXTREMES.fullmatch(word) for word in words):
        return OTHER, NEAR
    fields = {found[0] for word in words if (found := WORDS.get(word))}
    if TIMESTAMP in fields or {DATE, TIME} <= fields:
        return TIMESTAMP, BROAD
    for field in (DATE, TIME, CITY):
        if field in fields:
            return field, BROAD
    return None
