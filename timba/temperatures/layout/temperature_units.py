"""Finds the unit that a text names for temperatures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from timba.temperatures.layout.layouts import Unit
from timba.temperatures.layout.values import DEGREE_SIGNS, ONE_SIGN_UNITS

UNIT_SIGNS: Final[Mapping[Unit, str]] = {
    Unit.CELSIUS: "°C",
    Unit.FAHRENHEIT: "°F",
    Unit.KELVIN: "K",
}
_LETTERS: Final = {sign[-1]: unit for unit, sign in UNIT_SIGNS.items()}
# By the last letter of `values.UNIT_SIGN`.
UNIT_LETTERS: Final[Mapping[str, Unit]] = {
    **_LETTERS,
    **{sign: _LETTERS[spelled[-1]] for sign, spelled in ONE_SIGN_UNITS.items()},
}
_SPELLINGS: Final = str.maketrans({**dict.fromkeys(DEGREE_SIGNS, "°"), **ONE_SIGN_UNITS})
_WORD: Final = (
    r"(?P<word>cel[sc](?:ius|ij|jus|iaus|sij|zij)\w*|centigrad\w*|fahrenheit\w*|farenheit\w*"
    r"|kelvin\w*|цельси\w*|фаренгейт\w*|кельвин\w*)"
)
_NAMED: Final = re.compile(
    rf"{_WORD}|(?:°|(?<![^\W\d_])(?:deg(?:rees?)?|grad)\.?)\s?(?P<sign>[A-Za-zСсКк]+)?(?![^\W\d_])",
    re.IGNORECASE,
)
# A letter is a unit in brackets, alone, or after a word for a temperature or a comma: “Temp (C)”,
# “temp_f”, “Temp, �C”, “T [K]”, “in F”.
_LETTER: Final = re.compile(
    r"[(\[{]\W*([CFKcfkС])\W*[)\]}]"
    r"|(?:^|temp[^\W\d_]*|темп[^\W\d_]*|lämpö[^\W\d_]*|(?<![^\W_])(?:t|in|en)(?![^\W_])|[,;:])"
    r"[\W_]*([CFKcfkС])\W*$",
    re.IGNORECASE,
)
# Elsewhere it may as well be the name of a sensor: “Sensor F temperature”.
_DOUBTFUL_LETTER: Final = re.compile(r"(?<![^\W_])([FKfk])(?![^\W_])")
_BRACKETS: Final = re.compile(r"[(\[{]([^()\[\]{}]{1,30})[)\]}]")
_TYPE_K: Final = re.compile(r"\btype?\b[ -]*[A-Z]\b|\b[A-Z][ -]type?\b", re.IGNORECASE)
# Units of other measures, and parts of degrees.
_OTHER: Final = re.compile(
    r"\b(?:mV|mA|volts?|raw|counts?|adc|ohms?|mK|rankine|r[ée]aumur)\b|[Ωµ]"
    r"|\b0[.,]0*1\b|\b1 ?/ ?10+\b|[x×*/] ?10+\b|\b10+ ?[x×*]|tenths?|zehntel|dixi[eè]mes?|\bm°",
    re.IGNORECASE,
)
_MAX_UNIT: Final = 20
_FIRST_LETTERS: Final = {
    "c": Unit.CELSIUS,
    "ц": Unit.CELSIUS,
    "с": Unit.CELSIUS,
    "f": Unit.FAHRENHEIT,
    "ф": Unit.FAHRENHEIT,
    "k": Unit.KELVIN,
    "к": Unit.KELVIN,
}


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """The unit that a text names; `unit` is None for one that is not known, or for several."""

    unit: Unit | None
    text: str


def find_unit(text: str) -> NamedUnit | None:
    """Return the unit that a header or a title names; None where it names none."""
    text = _TYPE_K.sub(" ", text.translate(_SPELLINGS))
    if other := _OTHER.search(text):
        brackets = _BRACKETS.search(text)
        return NamedUnit(None, brackets[1].strip() if brackets else other[0].strip())
    named = [match for match in _NAMED.finditer(text) if match["word"] or match["sign"]]
    units = {match[0].strip(): _unit_of(match["word"] or match["sign"]) for match in named}
    if not units:
        letters = [one or other for one, other in _LETTER.findall(text)]
        doubtful = _DOUBTFUL_LETTER.findall(text)
        units = {each: _unit_of(each) for each in letters} or dict.fromkeys(doubtful)
    different = set(units.values())
    if not units:
        return None
    name = next(iter(units)) if len(different) == 1 else "/".join(units)
    return NamedUnit(different.pop() if len(different) == 1 else None, name)


def read_unit(text: str) -> Unit | None:
    """Return the unit that a text is and says nothing else than: `C`, `°F`, `Kelvin`."""
    if len(text) > _MAX_UNIT:
        return None
    text = text.translate(_SPELLINGS)
    named = find_unit(text)
    letters = re.sub(r"[\W\d_]", "", text)
    if named is None or named.unit is None or not letters:
        return None
    return named.unit if len(letters) <= len(re.sub(r"[\W\d_]", "", named.text)) else None


def without_unit(text: str) -> str:
    """Return the text of a header without what names a unit."""
    text = _NAMED.sub(" ", text.translate(_SPELLINGS))
    return re.sub(r"(?<![^\W_])[CFKcfkС](?![^\W_])", " ", text)


def _unit_of(text: str) -> Unit | None:
    letters = text.casefold()
    if len(letters) > 1 and not re.match("cel|cen|fah|far|kel|цел|фар|кел", letters):
        return None
    return _FIRST_LETTERS.get(letters[:1])
