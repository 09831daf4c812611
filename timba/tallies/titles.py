"""Finds the units that a title above a table names, such as “all dimensions in mm”."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from timba.tallies.units import PREPOSITIONS, looks_like_unit, parse_unit
from timba.tallies.vocabulary import DIAMETER, DOUBTFUL, MEASURES, VOLUME, WORDS
from timba.tallies.wording import fold, unify_primes

# A longer text is no title.
MAX_TITLE: Final = 300


def _folded(words: str) -> frozenset[str]:
    return frozenset(map(fold, words.split()))


# Words for all measures at once.
_DIMENSIONS: Final = _folded(
    """dimension dimensions dim dims size sizes measure measures measurement measurements unit units uom
    maß maße masse abmessung abmessungen einheit einheiten maßeinheit maßangaben
    dimensions mesure mesures unité unités dimensión dimensiones medida medidas unidad unidades
    wymiar wymiary wymiarów jednostka jednostki izmērs izmēri izmēru mērvienība mērvienības mēri
    matmenys matmenų matmuo vienetas vienetai mõõt mõõdud mõõtmed mõõtühik ühik ühikud mitat mitta
    mittayksikkö yksikkö yksiköt mått dimension dimensioner enhet enheter måttenhet размер размеры
    размеров единица единицы измерение измерения розмір розміри одиниця одиниці вимір виміри"""
)
# Words that may stand beside those of a measure, or between it and its unit.
_FILLERS: Final = _folded(
    """all the are is be given stated expressed shown measured log logs timber sawn wood of and as both
    note nb alle sind in angegeben angaben und aller die das der toutes tous les sont exprimées exprimés
    données et de du des todas todos las los en están son expresadas dadas y el la wszystkie są podane
    podano i oraz visi visas ir doti norādīti un visas mērvienības visi nurodyti pateikti kõik on antud ja
    kaikki ovat alla är angivna och samt все указаны даны и в усі всі вказані та у measurement измерения
    вимірювання tally"""
)
_TOKEN: Final = re.compile(r"[^\W_]+(?:\.(?=[^\W\d_]))?|['\"]|[^\w\s]", re.UNICODE)
_BREAKS: Final = frozenset(".;!?\n")
_JOINS: Final = frozenset(",/|&+()[]{}:=-–—x×х*")


def units_in_title(text: str) -> Mapping[str, str]:
    """Return the unit of each measure that a title names; nothing for a title that names none.

    A measure of which it names two units has none. A value with a unit (“length: 4 m”) is no
    statement about the units of a table.
    """
    if len(text) > MAX_TITLE:
        return {}
    found: dict[str, set[str]] = {measure: set() for measure in MEASURES}
    for clause in re.split(r"[;\n]|\.(?=\s|$)", unify_primes(text)):
        for measure, unit in _statements(_TOKEN.findall(clause)):
            if measure in found:
                found[measure].add(unit)
    return {measure: next(iter(units)) for measure, units in found.items() if len(units) == 1}


def _statements(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each measure and unit that the words of a clause put together."""
    subjects: list[str] = []
    is_foreign = False
    position = 0
    while position < len(tokens):
        units, end = _units_at(tokens, position) if subjects else ([], position)
        if units:
            if not _is_value(tokens, end):
                yield from _pair(subjects, units)
            subjects, position = [], end
            continue
        word = fold(tokens[position])
        named = _subjects_of(word, tokens)
        if named and not is_foreign:
            subjects += named
        elif not named and not _says_nothing(tokens[position], word):
            subjects = []
        is_foreign = bool(word) and not named and not _says_nothing(tokens[position], word)
        position += 1


def _subjects_of(word: str, tokens: Sequence[str]) -> list[str]:
    """Return the measures that a word names; a single letter does beside others only."""
    if word in _DIMENSIONS:
        return list(MEASURES)
    field, rank = WORDS.get(word, ("", 0))
    if field not in (*MEASURES, DIAMETER, VOLUME):
        return []
    if rank == DOUBTFUL and len(word) == 1:
        letters = {fold(token) for token in tokens if len(token) == 1}
        others = {WORDS[letter][0] for letter in letters if letter in WORDS}
        return [field] if others >= set(MEASURES) else []
    return [field]


def _units_at(tokens: Sequence[str], position: int) -> tuple[list[str], int]:
    """Return the units from a token on, joined by “/” and the like, and where they end."""
    units: list[str] = []
    end = position
    while end < len(tokens):
        token = tokens[end]
        following = tokens[end + 1] if end + 1 < len(tokens) else ""
        is_preposition = token.casefold() in PREPOSITIONS and parse_unit(following) is not None
        unit = None if is_preposition else parse_unit(token)
        if unit is None and not is_preposition and looks_like_unit(token):
            unit = token
        if unit is not None:
            units.append(unit)
            end += 1
        elif units and token in "/x×х" and (parse_unit(following) or looks_like_unit(following)):
            end += 1
        else:
            break
    return units, end


def _pair(subjects: Sequence[str], units: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield one unit with each measure, or as many units as measures in turn."""
    if len(units) == len(subjects):
        yield from zip(subjects, units, strict=True)
        return
    for subject in subjects:
        for unit in units:
            yield subject, unit


def _is_value(tokens: Sequence[str], end: int) -> bool:
    """Return whether a number follows the unit, so that both are about one thing."""
    rest = [token for token in tokens[end : end + 2] if token not in ")]}:="]
    return bool(rest) and rest[0].isdigit()


def _says_nothing(token: str, word: str) -> bool:
    return token in _JOINS or word in _FILLERS or word in PREPOSITIONS or not word
