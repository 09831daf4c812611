"""Units are known by their words and signs in twelve languages."""

from __future__ import annotations

import pytest

from timba.tallies.words.units import looks_like_unit, parse_unit

WORDS = {
    "mm": (
        "mm, MM, (mm), [mm], mm., millimetres, Millimeter, millimètres, milímetros, milimetrów, "
        "milimetri, milimetrais, millimeetrites, millimetriä, мм, миллиметров, міліметрах"
    ),
    "cm": (
        "cm, centimetres, Zentimeter, centimètre, centímetros, centymetrach, centimetri, "
        "centimetrais, sentimeetrites, senttimetriä, см, сантиметры, сантиметрів"
    ),
    "m": (
        "m, M, m., mtr, mtrs, (mtr), mts, metres, Meter, mètres, metros, metr, metrach, metri, "
        "metrai, meetrites, metriä, м, метры, метрів, in m, en m, w m, в м"
    ),
    "in": (
        "in, In., inch, inches, ″, \", ”, '', Zoll, pouces, pulgadas, pulg., cale, collas, coliai, "
        "tolli, tuumaa, tum, дюйм, дюймов, дюйми, in inches"
    ),
    "ft": (
        "ft, ft., feet, foot, ′, ', ’, Fuß, pieds, pies, stopy, pēdas, pėdos, jalga, jalkaa, fot, "
        "фут, футов, фути, in feet"
    ),
}


@pytest.mark.parametrize(
    ("text", "unit"),
    [(word, unit) for unit, words in WORDS.items() for word in words.split(", ")],
)
def test_units_are_known_by_their_words(text: str, unit: str) -> None:
    assert parse_unit(text) == unit
    assert not looks_like_unit(text)


@pytest.mark.parametrize(
    "text", ["yd", "Yards", "dm", "km", "lines", "m3", "kg", "mm/in", "ft-in", "feet and inches"]
)
def test_units_that_are_not_supported_are_seen(text: str) -> None:
    assert parse_unit(text) is None
    assert looks_like_unit(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "L", "nominal", "Feetham", "A1", "4.2", "4.2 m", "8' 6", "½ in", "mmm", "spruce"],
)
def test_other_words_are_no_units(text: str) -> None:
    assert parse_unit(text) is None
    assert not looks_like_unit(text)
