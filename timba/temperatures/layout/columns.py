"""Decides which column of a table is which field of a reading, or asks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from timba.files.processors.base import FileRefused
from timba.files.questions import Question
from timba.temperatures.layout.answers import (
    CITY,
    DATE,
    TEMPERATURE,
    TIME,
    TIMESTAMP,
    Answers,
)
from timba.temperatures.layout.column_choice import (
    ColumnChoice,
    ask_for_missing,
    ask_which,
    column_name,
    columns_named,
    strongest,
    take,
    title,
)
from timba.temperatures.layout.header_words import (
    BROAD,
    COUNTER,
    DOUBTFUL,
    OTHER,
    UNIT,
    VALUE,
    WHEN,
)
from timba.temperatures.layout.layouts import PLAIN_FIELDS, Unit
from timba.temperatures.layout.tables import Table, has_reading
from timba.temperatures.layout.values import CITY as CITY_NUMBER
from timba.temperatures.layout.values import DATE as DATE_ALONE
from timba.temperatures.layout.values import MOMENT, NUMBER, is_midnight, to_number
from timba.temperatures.layout.values import TIME as TIME_ALONE

# A column counts its rows if so many of its numbers are one more than the one above.
_COUNTING_SHARE: Final = 0.9
_LEAST_COUNTED: Final = 2
# By how much the same temperature in °C and °F may differ, as both are rounded.
_ROUNDING: Final = 0.15
_PLACES: Final = {name: column for column, name in enumerate(PLAIN_FIELDS)}
# What the header of a file in the order of the plain layout may name in each place; None stands
# for words that are not known, which are fine between commas.
_POSITIONS: Final = ((CITY, COUNTER, None), (TEMPERATURE, VALUE, None), (*WHEN, None))
_NAMED_POSITIONS: Final = ((CITY,), (TEMPERATURE,), WHEN)


def choose_columns(table: Table, answers: Answers) -> ColumnChoice:
    """Return which column is which.

    Raises FileRefused for an answer that names no column of the file.
    """
    choice = ColumnChoice()
    _apply_answers(table, choice, answers)
    if is_positional_table(table) and choice.columns.items() <= _PLACES.items():
        for name, column in _PLACES.items():
            if name not in answers.columns:
                take(table, choice, name, column)
        return choice
    if not choice.columns.keys() & {TIMESTAMP, DATE}:
        _choose_time(table, choice)
    if TEMPERATURE not in choice.columns:
        _choose_temperature(table, choice)
    if CITY not in choice.columns and CITY not in answers.columns:
        _choose_city(table, choice)
    return choice


def is_positional_table(table: Table) -> bool:
    """Return whether a table has the fields of the plain layout, and no header that denies it."""
    if not table.header_row:
        return table.is_positional
    if len(table.cells) != len(PLAIN_FIELDS):
        return False
    positions = _POSITIONS if table.delimiter == "," else _NAMED_POSITIONS
    for cell, fields in zip(table.cells, positions, strict=True):
        if (cell.field if cell else None) not in fields:
            return False
    first = table.cells[0]
    if first is not None and first.field == COUNTER:
        return not _counts(table, 0)
    return first is None or (first.rank < BROAD and not _has_only_names(table))


def _has_only_names(table: Table) -> bool:
    """Return whether the column that the header calls a city has no number at all, but readings."""
    if any(CITY_NUMBER.fullmatch(table.text(r, 0)) for r in table.rows):
        return False
    return any(table.text(row, 0) and has_reading(row.fields) for row in table.rows)


def _apply_answers(table: Table, choice: ColumnChoice, answers: Answers) -> None:
    width = max(len(table.header), table.width)
    for name, number in answers.columns.items():
        source = answers.source(f"columns.{name}")
        if number is None:
            choice.evidence["columns.city_id"] = f"No column of cities, {source}."
            continue
        if number > width:
            raise FileRefused(
                f"The answer “columns.{name}” is {number}, but the file has no such column. "
                f"It has {width}."
            )
        choice.columns[name] = number - 1
        column = column_name(table, number - 1)
        choice.evidence[f"columns.{name}"] = f"{title(name)} in column {column}, {source}."


def temperature_columns(table: Table) -> list[int]:
    """Return the columns that the header calls the temperature with the same right."""
    choice = ColumnChoice()
    _choose_time(table, choice)
    return _named_temperatures(table, choice)


def _choose_temperature(table: Table, choice: ColumnChoice) -> None:
    columns = table.open_temperatures or _named_temperatures(table, choice)
    if len(columns) > 1:
        ask_which(table, choice, TEMPERATURE, columns)
    elif columns and not table.open_temperatures:
        take(table, choice, TEMPERATURE, columns[0])
    else:
        ask_for_missing(choice, TEMPERATURE, columns or _free_numbers(table, choice))


def _named_temperatures(table: Table, choice: ColumnChoice) -> list[int]:
    named = [each for each in columns_named(table, choice, TEMPERATURE) if each[0] < DOUBTFUL]
    if not named and table.names(UNIT):
        named = columns_named(table, choice, VALUE)
    numeric = [each for each in named if table.count(each[1], NUMBER)]
    return _without_conversions(table, strongest(numeric or named))


def _free_numbers(table: Table, choice: ColumnChoice) -> list[int]:
    """Return the columns of numbers that are no field yet and of which the header says nothing."""
    taken = set(choice.columns.values())
    free = [index for index in range(table.width) if index not in taken]
    unsaid = [index for index in free if _field(table, index) not in (OTHER, CITY)]
    return [index for index in unsaid if table.is_mostly(index, NUMBER)]


def _field(table: Table, column: int) -> str | None:
    cell = table.cells[column] if column < len(table.cells) else None
    return cell.field if cell else None


def _without_conversions(table: Table, columns: Sequence[int]) -> list[int]:
    """Return the columns without those that give the temperatures of another one in °F."""
    units = {
        index: cell.unit.unit
        for index in columns
        if (cell := table.cells[index]) is not None and cell.unit is not None
    }
    celsius = [index for index in columns if units.get(index) is Unit.CELSIUS]
    if len(celsius) != 1:
        return list(columns)
    return [
        index
        for index in columns
        if units.get(index) is not Unit.FAHRENHEIT or not _converts(table, celsius[0], index)
    ]


def _converts(table: Table, celsius: int, fahrenheit: int) -> bool:
    pairs = [
        (to_number(table.text(row, celsius)), to_number(table.text(row, fahrenheit)))
        for row in table.sample
    ]
    known = [(c, f) for c, f in pairs if c is not None and f is not None]
    return bool(known) and all(abs(c * 1.8 + 32 - f) <= _ROUNDING for c, f in known)


def _choose_city(table: Table, choice: ColumnChoice) -> None:
    """Take the column of numbers that the header calls a city, if there is one."""
    named = columns_named(table, choice, CITY)
    columns = strongest([each for each in named if table.is_mostly(each[1], CITY_NUMBER)])
    ranks = {index: rank for rank, index in named}
    if len(columns) == 1 and ranks[columns[0]] < BROAD:
        take(table, choice, CITY, columns[0])
    elif len(columns) == 1 and not _counts(table, columns[0]):
        _ask_whether_city(table, choice, columns[0])
    elif len(columns) > 1:
        ask_which(table, choice, CITY, columns)
    elif not table.header_row and table.width == len(PLAIN_FIELDS):
        free = [i for i in range(table.width) if i not in choice.columns.values()]
        if numbers := [i for i in free if table.is_mostly(i, CITY_NUMBER)]:
            ask_for_missing(choice, CITY, numbers)


def _ask_whether_city(table: Table, choice: ColumnChoice, column: int) -> None:
    choice.questions.append(
        Question(
            field=f"columns.{CITY}",
            sentence=f"The column {column_name(table, column)} may be of cities, or of something "
            "else. Does it hold the numbers of the cities?",
            choices=(column + 1, None),
        )
    )
    choice.columns[CITY] = column


def city_names(table: Table) -> tuple[int, list[str]] | None:
    """Return the column that the header calls a city and that holds no numbers, and its texts."""
    for index, cell in enumerate(table.cells):
        if cell is None or cell.field != CITY or table.is_mostly(index, CITY_NUMBER):
            continue
        if texts := list(dict.fromkeys(filter(None, (table.text(r, index) for r in table.rows)))):
            return index, texts
    return None


def _counts(table: Table, column: int) -> bool:
    """Return whether a column counts the rows: 1, 2, 3, …, or down where the newest is first."""
    texts = [table.text(row, column) for row in table.sample]
    numbers = [int(text) for text in texts if CITY_NUMBER.fullmatch(text)]
    steps = [after - before for before, after in pairwise(numbers)]
    counted = max(steps.count(1), steps.count(-1))
    return len(numbers) >= _LEAST_COUNTED and counted >= _COUNTING_SHARE * len(steps)


def _choose_time(table: Table, choice: ColumnChoice) -> None:
    """Take the column of moments that the header calls a time, or those of dates and of times."""
    named = columns_named(table, choice, *WHEN)
    if not table.header_row:
        named = [(0, index) for index in range(table.width)]
    moments = strongest([each for each in named if table.is_mostly(each[1], MOMENT)])
    dates = strongest([each for each in named if table.is_mostly(each[1], DATE_ALONE)])
    times = strongest([each for each in named if table.is_mostly(each[1], TIME_ALONE)])
    # Hours alone, such as 8, are no times of day, but tell that midnight is none.
    hours = [index for _, index in columns_named(table, choice, TIME) if index not in moments]
    clocks = times or hours
    if len(moments) == 1 and clocks and _are_dates(table, moments[0]):
        ask_which(table, choice, TIMESTAMP, [*moments, *clocks])
    elif len(moments) == 1:
        take(table, choice, TIMESTAMP, moments[0])
    elif moments:
        ask_which(table, choice, TIMESTAMP, moments)
    elif dates and times:
        for name, columns in ((DATE, dates), (TIME, times)):
            if len(columns) == 1:
                take(table, choice, name, columns[0])
            else:
                ask_which(table, choice, name, columns)
    else:
        _choose_unread_time(table, choice, named)


def _choose_unread_time(
    table: Table, choice: ColumnChoice, named: Sequence[tuple[int, int]]
) -> None:
    """Take a column of times none of whose first fields is one, or ask which it is."""
    by_field = {field: strongest(columns_named(table, choice, field)) for field in WHEN}
    if by_field[TIMESTAMP]:
        take(table, choice, TIMESTAMP, by_field[TIMESTAMP][0])
    elif by_field[DATE] and by_field[TIME]:
        take(table, choice, DATE, by_field[DATE][0])
        take(table, choice, TIME, by_field[TIME][0])
    elif named:
        take(table, choice, TIMESTAMP, strongest(named)[0])
    else:
        moments = [i for i in range(table.width) if table.is_mostly(i, MOMENT)]
        ask_for_missing(choice, TIMESTAMP, moments)


def _are_dates(table: Table, column: int) -> bool:
    """Return whether all moments of a column are midnight, as of a spreadsheet's dates."""
    texts = [table.text(row, column) for row in table.sample]
    return all(is_midnight(text) for text in texts if MOMENT.fullmatch(text))
