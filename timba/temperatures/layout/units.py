"""Decides the unit of the temperatures: as named, or °C where the values are those of weather."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from timba.files.answers import listed
from timba.files.questions import Question
from timba.files.wording import fold
from timba.temperatures.layout.answers import TEMPERATURE, Answers
from timba.temperatures.layout.column_choice import column_name
from timba.temperatures.layout.column_texts import Lines, column_texts
from timba.temperatures.layout.header_words import UNIT, WORDS
from timba.temperatures.layout.layouts import Layout, Unit
from timba.temperatures.layout.tables import Row, Table
from timba.temperatures.layout.temperature_units import (
    UNIT_LETTERS,
    UNIT_SIGNS,
    NamedUnit,
    find_unit,
    read_unit,
)
from timba.temperatures.layout.values import DEGREE_SIGNS, to_number, unit_sign

# °C beyond which a temperature is hardly one of a town.
MIN_PLAUSIBLE, MAX_PLAUSIBLE = -90, 150
_KELVIN: Final = 273.15
_FAHRENHEIT: Final = re.compile(rf"[{DEGREE_SIGNS}]\s?F\b|℉|\bFahrenheit\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitDecision:
    """The unit and why, or the question for it."""

    unit: Unit = Unit.CELSIUS
    evidence: str = ""
    question: Question | None = None


def decide_unit(
    table: Table, column: int, answers: Answers, layout: Layout, lines: Lines | None
) -> UnitDecision:
    """Return the unit of a column of temperatures."""
    if answers.unit is not None:
        return _take(answers.unit, answers.source("unit"))
    signs = _signs(table, column) if layout.unit_signs else {}
    if len(signs) > 1:
        found = listed([UNIT_SIGNS[unit] for unit in signs], "and")
        sentence = f"Different units follow the temperatures: {found}."
        return UnitDecision(question=_ask(sentence, tuple(Unit)))
    in_cells = [(NamedUnit(unit, ""), f"as in “{text}”") for unit, text in signs.items()]
    in_column = _in_column(table, layout, lines)
    places = (_in_header(table, column, layout), *in_cells, in_column)
    named = [each for each in places if each is not None]
    if not named and (above := _in_preamble(table)):
        named = [above]
    if not named:
        return _ask_about_mention(table) or _check_celsius(table, column)
    if len({unit.unit for unit, _ in named}) > 1:
        claims = " and ".join(f"{_sign(unit)} {place}" for unit, place in named)
        sentence = f"The file names different units for the temperature: {claims}."
        return UnitDecision(question=_ask(sentence, tuple(Unit)))
    unit, place = named[0]
    if unit.unit is None:
        sentence = f"The unit “{unit.text}” of the temperature, {place}, is not known."
        return UnitDecision(question=_ask(sentence, tuple(Unit)))
    return _take(unit.unit, place)


def _sign(named: NamedUnit) -> str:
    return named.text if named.unit is None else UNIT_SIGNS[named.unit]


def is_plausible(value: float, unit: Unit) -> bool:
    """Return whether a temperature may be one of a town."""
    return MIN_PLAUSIBLE <= to_celsius(value, unit) <= MAX_PLAUSIBLE


def to_celsius(value: float, unit: Unit) -> float:
    if unit is Unit.FAHRENHEIT:
        return (value - 32) / 1.8
    return value - _KELVIN if unit is Unit.KELVIN else value


def _take(unit: Unit, source: str) -> UnitDecision:
    return UnitDecision(unit=unit, evidence=f"Temperatures in {UNIT_SIGNS[unit]}, {source}.")


def _in_header(table: Table, column: int, layout: Layout) -> tuple[NamedUnit, str] | None:
    """Return the unit that the column's header names, or the cell beneath it."""
    if column < len(table.cells):
        cell = table.cells[column]
        unit = cell.unit if cell else find_unit(table.header[column])
        if unit is not None:
            return unit, f"from {table.header_place}"
    if table.header_row and table.rows:
        first = table.rows[0]
        text = table.text(first, column)
        is_reading = layout.unit_signs and unit_sign(text)
        if not is_reading and (unit_beneath := read_unit(text)):
            return NamedUnit(unit_beneath, ""), f"from line {first.number}"
    return None


def has_unit_signs(table: Table, column: int) -> bool:
    """Return whether a unit follows more than half of the temperatures; the rest are bad lines."""
    numbers = [text for text in _texts(table, column) if to_number(text) is not None]
    return 2 * sum(bool(unit_sign(text)) for text in numbers) > len(numbers)


def _texts(table: Table, column: int) -> list[str]:
    return [table.text(row, column) for row in table.rows]


def _signs(table: Table, column: int) -> dict[Unit, str]:
    """Return the units that follow the temperatures, each with the first temperature."""
    signs: dict[Unit, str] = {}
    for text in _texts(table, column):
        if sign := unit_sign(text):
            signs.setdefault(UNIT_LETTERS[sign[-1]], text)
    return signs


def _in_column(table: Table, layout: Layout, lines: Lines | None) -> tuple[NamedUnit, str] | None:
    """Return the unit that a column of units gives for every row."""
    for index, cell in enumerate(table.cells):
        if cell is None or cell.field != UNIT:
            continue
        texts = column_texts(table, index, layout, lines)
        units = {read_unit(text) for text in texts}
        if not texts:
            continue
        place = f"from column {column_name(table, index)}"
        unit = next(iter(units)) if len(units) == 1 else None
        return NamedUnit(unit, "/".join(texts[:2])), place
    return None


def _in_preamble(table: Table) -> tuple[NamedUnit, str] | None:
    """Return the unit that a line of settings above the header gives: `Unit: °F`."""
    for number, line in enumerate(table.preamble, start=1):
        name, value = split_setting(line)
        words = fold(name).split()
        is_named = any(WORDS.get(word, ("",))[0] in (UNIT, TEMPERATURE) for word in words)
        if is_named and (unit := read_unit(value)):
            return NamedUnit(unit, ""), f"from line {number}"
    return None


def _ask_about_mention(table: Table) -> UnitDecision | None:
    """Return a question where a line above the header speaks of °F: `High alarm: 104 °F`."""
    for number, line in enumerate(table.preamble, start=1):
        if match := _FAHRENHEIT.search(line):
            sentence = f"Line {number} speaks of {match[0]}, but the header names no unit."
            return UnitDecision(question=_ask(sentence, tuple(Unit)))
    return None


def split_setting(line: str) -> tuple[str, str]:
    """Return the name and the value of a setting: `Unit: °F`, `"Unit","°F"`, `Unit = F`."""
    for position, sign in enumerate(line):
        if sign in ":=,;\t|":
            return line[:position].strip(' "'), line[position + 1 :].strip(' ",;\t|=:')
    return line, ""


def _check_celsius(table: Table, column: int) -> UnitDecision:
    """Assume °C, or ask where more than half of the values are not those of weather in °C."""
    values = read_values(table, column)
    outside = [(row, value) for row, value in values if not is_plausible(value, Unit.CELSIUS)]
    if 2 * len(outside) <= len(values):
        return UnitDecision()
    row, _ = outside[0]
    bounds = f"outside −{-MIN_PLAUSIBLE} to {MAX_PLAUSIBLE} °C"
    example = f"{table.text(row, column)} on line {row.number}"
    if len(values) == 1:
        found = f"the first temperature, {example}, lies {bounds}"
    else:
        found = (
            f"{len(outside):,} of the first {len(values):,} temperatures lie {bounds}, such as "
            f"{example}"
        )
    likely = [
        unit
        for unit in (Unit.KELVIN, Unit.FAHRENHEIT)
        if 2 * sum(is_plausible(value, unit) for _, value in values) > len(values)
    ]
    choices = dict.fromkeys((*likely, *Unit))
    return UnitDecision(question=_ask(f"No unit is named, and {found}.", tuple(choices)))


def read_values(table: Table, column: int) -> list[tuple[Row, float]]:
    """Return the rows with a number in a column, and the numbers."""
    values = ((row, to_number(table.text(row, column))) for row in table.rows)
    return [(row, value) for row, value in values if value is not None]


def _ask(sentence: str, choices: Sequence[Unit]) -> Question:
    return Question(
        field="unit",
        sentence=f"{sentence} In which unit are the temperatures?",
        choices=tuple(unit.value for unit in choices),
    )
