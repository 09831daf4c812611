"""Finds the unit that a text names for temperatures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from timba.temperatures.layout.layouts import Unit

UNIT_SIGNS: Final[Mapping[Unit, str]] = {
    Unit.CELSIUS: "°C",
    Unit.FAHRENHEIT: "°F",
    Unit.KELVIN: "K",
}
_SPELLINGS: Final = str.maketrans({**dict.fromkeys("º˚ᵒ", "°"), "℃": "°C", "℉": "°F", "K": "K"})
_WORD: Final = (
    r"(?P<word>cel[sc](?:ius|ij|jus|iaus|sij|zij)\w*|centigrad\w*|fahrenheit\w*|farenheit\w*"
    r"|kelvin\w*|цельси\w*|фаренгейт\w*|кельвин\w*)"
)
_NAMED: Final = re.compile(
    rf"{_WORD}|(?:°|(?<![^\W\d_])(?:deg(?:rees?)?|grad)\.?)\s?(?P<sign>[A-Za-zСсКк]+)?(?![^\W\d_])",
    re.IGNORECASE,
)
# A letter alone at the end or in brackets: “Temp (C)”, “temp_f”, “Temp, �C”, “T [K]”.
_LETTER: Final = re.compile(r"(?<![^\W_])([CFKcfkС])(?![^\W_])")
_BRACKETS: Final = re.compile(r"[(\[{]([^()\[\]{}]{1,30})[)\]}]")
_TYPE_K: Final = re.compile(r"\btype?\b[ -]*[A-Z]\b", re.IGNORECASE)
# Units of other measures, and parts of degrees.
_OTHER: Final = re.compile(
    r"%|\b(?:m?[VA]|mV|raw|counts?|adc|ohms?|mK|rh|hPa|bar|psi|rankine|r[ée]aumur)\b|[Ωµ]"
    r"|\b0[.,]0*1\b|\b1 ?/ ?10+\b|[x×*/] ?10+\b|\b10+ ?[x×*]|tenths?|zehntel|dixi[eè]mes?|\bm°",
    re.IGNORECASE,
)
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
    matches = [match for match in _NAMED.finditer(text) if match["word"] or match["sign"]]
    units = [_unit_of(match["word"] or match["sign"]) for match in matches]
    names = [match[0] for match in matches]
    if not units or None in units:
        letters = _LETTER.findall(text)
        if letters:
            units, names = [_unit_of(letter) for letter in letters], letters
    if other := _OTHER.search(text):
        brackets = _BRACKETS.search(text)
        return NamedUnit(None, brackets[1].strip() if brackets else other[0].strip())
    if not units:
        return None
    different = dict.fromkeys(units)
    if len(different) == 1:
        return NamedUnit(units[0], names[0].strip())
    return NamedUnit(None, "/".join(dict.fromkeys(name.strip() for name in names)))


def read_unit(text: str) -> Unit | None:
    """Return the unit that a text is and says nothing else than: `C`, `°F`, `Kelvin`."""
    named = find_unit(text)
    letters = re.sub(r"[\W\d_]", "", text)
    if named is None or named.unit is None or not letters:
        return None
    return named.unit if len(letters) <= len(re.sub(r"[\W\d_]", "", named.text)) else None


def without_unit(text: str) -> str:
    """Return the text of a header without what names a unit."""
    text = _NAMED.sub(" ", text.translate(_SPELLINGS))
    return _LETTER.sub(" ", text)


def _unit_of(text: str) -> Unit | None:
    letters = text.casefold()
    if len(letters) > 1 and not re.match("cel|cen|fah|far|kel|цел|фар|кел", letters):
        return None
    return _FIRST_LETTERS.get(letters[:1])
