"""Titles above a table name the units of its measures, or say nothing."""

from __future__ import annotations

import pytest

from timba.tallies.words.titles import doubtful_units_in_title, units_in_title


def units(length: str, breadth: str, height: str) -> dict[str, str]:
    return {"length": length, "breadth": breadth, "height": height}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *[("all dimensions in mm", "mm"), ("All measurements are in millimetres.", "mm")],
        *[("Dimensions (mm)", "mm"), ("TALLY SHEET - sizes in mm", "mm"), ("Units: mm", "mm")],
        *[("Unit of measure: inches", "in"), ("Sizes in in", "in"), ("L x B x H (mm)", "mm")],
        *[("Maße in mm", "mm"), ("Alle Maße in cm", "cm"), ("Maßeinheit: mm", "mm")],
        *[("dimensions en mm", "mm"), ("Toutes les mesures en cm", "cm"), ("medidas en cm", "cm")],
        *[("wymiary w mm", "mm"), ("visi izmēri mm", "mm"), ("visi matmenys mm", "mm")],
        *[("kõik mõõdud on mm", "mm"), ("kaikki mitat mm", "mm"), ("alla mått i mm", "mm")],
        *[("Все размеры указаны в мм", "mm"), ("усі розміри в см", "cm")],
    ],
)
def test_a_title_names_one_unit_for_all_measures(text: str, unit: str) -> None:
    assert units_in_title(text) == units(unit, unit, unit)


@pytest.mark.parametrize(
    "text",
    [
        "Length in m, width and height in cm",
        "(Length in m; width, thickness in cm)",
        "Length m, width cm, thickness cm",
        "L in m; B, H in cm",
        "L/B/H in m/cm/cm",
        "Dimensions in m, cm, cm",
        "Länge in m, Breite und Dicke in cm",
        "Longueur en m, largeur et épaisseur en cm",
        "Gar. m, plat. cm, biez. cm",
        "Pituus m, leveys ja paksuus cm",
        "Длина в м, ширина и толщина в см",
    ],
)
def test_a_title_names_the_unit_of_each_measure(text: str) -> None:
    assert units_in_title(text) == units("m", "cm", "cm")


def test_a_title_may_name_the_units_of_some_measures() -> None:
    assert units_in_title("Diameter in cm, length in m") == {"length": "m"}
    assert units_in_title("Volume in m3. Lengths in feet.") == {"length": "ft"}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Dimensions (mm/in)", "mm/in"),
        ("All sizes in feet and inches", "ft/in"),
        ("All dimensions in mm. Sizes in inches.", "mm/in"),
        ("All dimensions: yards", "yards"),
    ],
)
def test_a_title_of_two_units_or_another_one_says_so(text: str, unit: str) -> None:
    assert units_in_title(text) == {}
    assert doubtful_units_in_title(text) == units(unit, unit, unit)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *[
            ("in inches", "?/in"),
            ("mm", "?/mm"),
            ("Tally (ft)", "?/ft"),
            ("feet/inches", "?/ft/in"),
        ],
        ("Measured in feet under bark", "?/ft"),
        ("W in cm", "?/cm"),
    ],
)
def test_a_title_of_units_alone_leaves_their_measures_open(text: str, unit: str) -> None:
    assert units_in_title(text) == {}
    assert doubtful_units_in_title(text) == units(unit, unit, unit)


def test_three_units_alone_are_those_of_the_measures() -> None:
    assert units_in_title("(ft, in, in)") == units("ft", "in", "in")


def test_a_section_is_breadth_and_height() -> None:
    assert units_in_title("Cross section in inches") == {"breadth": "in", "height": "in"}


@pytest.mark.parametrize(
    "text",
    [
        *("m3", "MT", "Ft. Worth", "Cali"),
        *("", "in m", "Delivery in Feetham", "Truck AB 12 M", "Spruce logs 4 m", "Length: 4.2 m"),
        *(
            "Total length 120 m",
            "Container length in m",
            "Load length in m: 13",
            "Length in m: 13",
            "thick in mm",
        ),
        *(
            "Truck dimensions in m",
            "Size: 4 m x 30 cm",
            "Measurements: metric",
            "Length in mm " * 30,
        ),
        "Delivery of dimension timber to Inverness in March",
    ],
)
def test_other_titles_say_nothing(text: str) -> None:
    assert units_in_title(text) == {}
    assert doubtful_units_in_title(text) == {}
