"""Finds the units that a title above a table names, such as “all dimensions in mm”."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from timba.files.wording import fold, fold_words, unify_primes
from timba.tallies.words.units import PREPOSITIONS, UNITS, looks_like_unit, parse_unit
from timba.tallies.words.vocabulary import BREADTH, DIAMETER, EXACT, HEIGHT, MEASURES, VOLUME, WORDS

# A longer text is no title.
MAX_TITLE: Final = 300


# Words for all measures at once.
_DIMENSIONS: Final = fold_words(
    """
    dimension dimensions dim dims size sizes measure measures measurement measurements unit
    units uom maß maße masse abmessung abmessungen einheit einheiten maßeinheit maßangaben
    mesure mesures unité unités dimensión dimensiones medida medidas unidad unidades wymiar
    wymiary wymiarów jednostka jednostki izmērs izmēri izmēru mērvienība mērvienības mēri
    matmenys matmenų matmuo vienetas vienetai mõõt mõõdud mõõtmed mõõtühik ühik ühikud mitat
    mitta mittayksikkö yksikkö yksiköt mått dimensioner enhet enheter måttenhet размер размеры
    размеров единица единицы измерение измерения розмір розміри одиниця одиниці вимір виміри
    """
)
# Words for breadth and height.
_SECTIONS: Final = fold_words(
    """
    section sections querschnitt sección secciones przekrój przekroje šķērsgriezums skerspjūvis
    ristlõige poikkileikkaus tvärsnitt сечение сечения переріз
    """
)
# Words that may stand beside those of a measure, or between it and its unit.
_FILLERS: Final = fold_words(
    """
    all the are is be given stated expressed shown measured log logs timber sawn wood of and as
    both note nb alle sind in angegeben angaben und aller die das der toutes tous les sont
    exprimées exprimés données et de du des todas todos las los en están son expresadas dadas y
    el la wszystkie są podane podano i oraz visi visas ir doti norādīti un mērvienības nurodyti
    pateikti kõik on antud ja kaikki ovat alla är angivna och samt все указаны даны и в усі всі
    вказані та у measurement измерения вимірювання tally measured values nominal actual under
    over bark cross
    """
)
_TOKEN: Final = re.compile(r"[^\W_]+(?:\.(?=[^\W\d_]))?|['\"]|[^\w\s]", re.UNICODE)
_JOINS: Final = frozenset(",/|&+()[]{}:=-–—x×х*")
# What stands between the units of several measures: “m / cm / cm”, “feet and inches”.
_UNIT_JOINS: Final = frozenset(
    (*"/,x×х&+-", "and", "und", "et", "y", "i", "un", "ir", "ja", "och", "и")
)
# Words of units that alone are names or other words more often: Cali, MT (tonnes), toll.
_OTHER_MEANING: Final = frozenset(("mt", "mts", "cal", "cali", "po", "toll", "pies", "cent"))
_SENTENCE: Final = re.compile(r"[;\n]|\.(?=\s+[^\W\d_a-zа-яäöüõ])")


def units_in_title(text: str) -> Mapping[str, str]:
    """Return the unit of each measure that a title names; nothing for a title that names none.

    A measure of which it names two units has none. A value with a unit (“length: 4 m”) is no
    statement about the units of a table.
    """
    found = _find_units(text)
    return {name: unit for name, units in found.items() for unit in units if _is_known(units)}


def doubtful_units_in_title(text: str) -> Mapping[str, str]:
    """Return what a title says of each measure whose unit is not known or not one: “ft/in”."""
    found = _find_units(text)
    return {
        name: "/".join(units) for name, units in found.items() if units and not _is_known(units)
    }


def _is_known(units: Sequence[str]) -> bool:
    return len(units) == 1 and units[0] in UNITS


def _find_units(text: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {measure: [] for measure in MEASURES}
    if len(text) > MAX_TITLE:
        return found
    text = unify_primes(text)
    words = frozenset(fold(word) for word in _TOKEN.findall(text))
    named = {WORDS[word][0] for word in words if word in WORDS}
    sentences = _SENTENCE.split(text)
    for sentence in sentences:
        tokens = _TOKEN.findall(sentence)
        statements = _statements(tokens, is_table=named >= set(MEASURES))
        alone = _statements_alone(tokens) if len(sentences) == 1 else ()
        for measure, unit in (*statements, *alone):
            if measure in found and unit not in found[measure]:
                found[measure].append(unit)
    return found


def _statements(tokens: Sequence[str], *, is_table: bool) -> Iterator[tuple[str, str]]:
    """Yield each measure and unit that the words of a sentence put together."""
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
        named = _subjects_of(word, is_table=is_table)
        is_silent = _is_silent(tokens[position])
        if named and not is_foreign:
            subjects += named
        elif not is_silent:
            subjects = []
        is_foreign = not named and not is_silent
        position += 1


def _statements_alone(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what units say that stand without a measure: three are those of all, others a doubt."""
    words = [word for word in map(str.casefold, tokens) if parse_unit(word) or not _is_silent(word)]
    if len(words) > 1 and words[0] in PREPOSITIONS:
        del words[0]
    units = [unit for word in words if word not in _OTHER_MEANING and (unit := parse_unit(word))]
    if len(units) < len(words) or all(len(word) == 1 or word in PREPOSITIONS for word in words):
        return
    if len(units) == len(MEASURES):
        yield from zip(MEASURES, units, strict=True)
    else:
        yield from product(MEASURES, ("?", *units))


def _subjects_of(word: str, *, is_table: bool) -> list[str]:
    """Return the measures that a word names; an abbreviation does beside all others only."""
    if word in _DIMENSIONS:
        return list(MEASURES)
    if word in _SECTIONS:
        return [BREADTH, HEIGHT]
    if word in PREPOSITIONS:
        return []
    field, rank = WORDS.get(word, ("", 0))
    if field in (*MEASURES, DIAMETER, VOLUME) and (rank == EXACT or is_table):
        return [field]
    return []


def _units_at(tokens: Sequence[str], position: int) -> tuple[list[str], int]:
    """Return the units from a word on, joined by “/” and the like, and where they end."""
    units: list[str] = []
    end = position
    while end < len(tokens):
        following = _unit_of(tokens[end + 1]) if end + 1 < len(tokens) else None
        word = tokens[end].casefold()
        unit = _unit_of(word)
        if unit and not (word in PREPOSITIONS and following):
            units.append(unit)
        elif not (units and word in _UNIT_JOINS and following):
            break
        end += 1
    return units, end


def _unit_of(word: str) -> str | None:
    return parse_unit(word) or (word if looks_like_unit(word) else None)


def _pair(subjects: Sequence[str], units: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield one unit with each measure, or as many units as measures in turn."""
    if len(units) == len(subjects):
        yield from zip(subjects, units, strict=True)
    else:
        yield from product(subjects, units)


def _is_value(tokens: Sequence[str], end: int) -> bool:
    """Return whether a number follows the unit, so that both are about one thing."""
    rest = [word for word in tokens[end : end + 2] if word not in ")]}:="]
    return bool(rest) and rest[0].isdigit()


def _is_silent(token: str) -> bool:
    word = fold(token)
    return token in _JOINS or word in _FILLERS or word in PREPOSITIONS or not word
