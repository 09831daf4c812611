"""Decides the units of the measures of a group of tables from all its rows, or asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from timba.files.questions import Question
from timba.tallies.answers import Answers
from timba.tallies.cells.grids import Cell
from timba.tallies.layout.groups import Group
from timba.tallies.layout.measure_cells import format_measure, is_plausible, read_quantity
from timba.tallies.layout.own_exports import is_own_csv
from timba.tallies.layout.style_decisions import NumberReading, decide_styles, settle_style
from timba.tallies.layout.units_named import NamedUnit, ask_unit, find_named_unit
from timba.tallies.words.quantities import Quantity
from timba.tallies.words.units import UNIT_WORDS, UNITS
from timba.tallies.words.vocabulary import BREADTH, HEIGHT, LENGTH, MEASURES

# The units of measures of which none is named.
USUAL_UNITS: Final = {LENGTH: "m", BREADTH: "cm", HEIGHT: "cm"}
# Length, then breadth and height, the most usual first.
_COMBINATIONS: Final = (
    *(("mm", "mm"), ("cm", "cm"), ("m", "cm"), ("m", "mm"), ("ft", "in"), ("in", "in"), ("m", "m")),
    *(("mm", "cm"), ("cm", "mm"), ("m", "in"), ("ft", "cm"), ("ft", "mm"), ("ft", "ft")),
)
Cells = Sequence[tuple[Cell | None, ...]]


def decide_numbers(
    group: Group, columns: Mapping[str, int], cells: Cells, profile: Answers
) -> NumberReading:
    """Return how the measures of a group are read; `cells` are those of its logs.

    Each row has the cells of MEASURES. The profile answers what is open.
    """
    reading = NumberReading()
    by_measure = {name: [row[position] for row in cells] for position, name in enumerate(MEASURES)}
    conflicts = decide_styles(group, reading, by_measure)
    quantities = {
        name: [read_quantity(cell, reading.styles.get(name)) for cell in each]
        for name, each in by_measure.items()
    }
    _name_units(group, reading, columns, quantities, profile)
    if conflicts and not reading.questions:
        settle_style(group, reading, by_measure, conflicts, profile)
        quantities = {
            name: [read_quantity(cell, reading.styles.get(name)) for cell in each]
            for name, each in by_measure.items()
        }
    if not reading.questions:
        _check_units(group, reading, quantities, profile)
    return reading


def _name_units(
    group: Group,
    reading: NumberReading,
    columns: Mapping[str, int],
    quantities: Mapping[str, Sequence[Quantity | None]],
    profile: Answers,
) -> None:
    """Take the units that answers and the sheet name; ask for the others if some are named."""
    doubts: dict[str, Question] = {}
    for name in MEASURES:
        if unit := group.answers.units.get(name):
            _take_unit(reading, name, unit, "as answered")
            continue
        if is_own_csv(group.table):
            _take_unit(reading, name, USUAL_UNITS[name], "as in every CSV of Timba")
            continue
        named = find_named_unit(group, name, columns[name], quantities[name])
        if isinstance(named, NamedUnit) and named.unit is not None:
            _take_unit(reading, name, named.unit, named.place)
        elif isinstance(named, Question):
            doubts[name] = named
    if not reading.units and not doubts:
        return
    for name in MEASURES:
        if name in reading.units:
            continue
        if unit := profile.units.get(name):
            reading.used_profile = True
            _take_unit(reading, name, unit, "by the profile")
            continue
        sentence = f"The sheet names no unit for the {name}. In which unit is it?"
        reading.questions.append(doubts.get(name) or ask_unit(group, name, sentence))


def _take_unit(reading: NumberReading, name: str, unit: str, place: str) -> None:
    reading.units[name] = unit
    reading.evidence[f"units.{name}"] = f"{name.capitalize()} in {UNIT_WORDS[unit]}, {place}."


def _check_units(
    group: Group,
    reading: NumberReading,
    quantities: Mapping[str, Sequence[Quantity | None]],
    profile: Answers,
) -> None:
    """Assume the usual units where none is named; ask where too few rows are plausible."""
    rows = _complete_rows(zip(*(quantities[name] for name in MEASURES), strict=True))
    are_named = bool(reading.units)
    units = reading.units or USUAL_UNITS
    checked = [name for name in MEASURES if name not in group.answers.units]
    count = sum(_is_row_plausible(row, units, checked) for row in rows)
    if 2 * count > len(rows) or not rows:
        share = f"{count:,} of {len(rows):,} rows are plausible so"
        for name in [] if are_named else MEASURES:
            _take_unit(reading, name, USUAL_UNITS[name], f"as no unit is named and {share}")
        return
    if not are_named and set(profile.units) == set(MEASURES):
        reading.used_profile = True
        for name in MEASURES:
            _take_unit(reading, name, profile.units[name], "by the profile")
        if 2 * sum(_is_row_plausible(row, reading.units, MEASURES) for row in rows) > len(rows):
            return
    reading.questions.append(_ask_units(group, units, rows, len(rows) - count, named=are_named))


def is_mostly_plausible(
    rows: Iterable[tuple[Quantity | None, ...]], units: Mapping[str, str], names: Sequence[str]
) -> bool:
    """Return whether more than half of the rows are plausible in their measures of these names.

    Rows of which a measure is no number above 0 say nothing about units.
    """
    complete = _complete_rows(rows)
    count = sum(_is_row_plausible(row, units, names) for row in complete)
    return not complete or 2 * count > len(complete)


def _complete_rows(rows: Iterable[tuple[Quantity | None, ...]]) -> list[tuple[Quantity, ...]]:
    """Return the rows whose measures are all numbers above 0."""
    complete = []
    for row in rows:
        known = tuple(each for each in row if each is not None and each.value > 0)
        if len(known) == len(MEASURES):
            complete.append(known)
    return complete


def _is_row_plausible(
    row: Sequence[Quantity], units: Mapping[str, str], names: Sequence[str]
) -> bool:
    return all(
        is_plausible(quantity.value, quantity.unit or units[name], name)
        for name, quantity in zip(MEASURES, row, strict=True)
        if name in names
    )


def _ask_units(
    group: Group,
    units: Mapping[str, str],
    rows: Sequence[tuple[Quantity, ...]],
    count: int,
    *,
    named: bool,
) -> Question:
    [row, *_] = [row for row in rows if not _is_row_plausible(row, units, MEASURES)]
    values = " × ".join(
        f"{format_measure(_rounded(quantity.value))} {quantity.unit or units[name]}"
        for name, quantity in zip(MEASURES, row, strict=True)
    )
    if named:
        sentence = f"In the units that the sheet names, {count:,} of {len(rows):,} rows"
    else:
        sentence = (
            f"The sheet names no units. In metres and centimetres, {count:,} of {len(rows):,} rows"
        )
    sentence += f" cannot be logs, such as {values}. In which units are the measures?"
    return Question(
        field=f"{group.prefix}units", sentence=sentence, choices=tuple(_choices(rows, units))
    )


def _rounded(value: Decimal | Fraction) -> Decimal:
    return Decimal(str(round(float(value), 3)))


def _choices(
    rows: Sequence[tuple[Quantity, ...]], understood: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the combinations of units in which more than half of the rows are plausible.

    Those that the sheet names, or else the usual ones, are the last if any row is plausible so.
    """
    combinations = [
        {LENGTH: length, BREADTH: section, HEIGHT: section} for length, section in _COMBINATIONS
    ]
    choices = [
        units
        for units in combinations
        if 2 * sum(_is_row_plausible(row, units, MEASURES) for row in rows) > len(rows)
    ] or [dict.fromkeys(MEASURES, unit) for unit in UNITS]
    if dict(understood) not in choices and any(
        _is_row_plausible(row, understood, MEASURES) for row in rows
    ):
        choices.append(dict(understood))
    return choices
