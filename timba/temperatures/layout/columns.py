"""Decides which column of a table is which field of a reading, or asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from timba.files.columns import column_letters
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
from timba.temperatures.layout.header_words import (
    BROAD,
    COUNTER,
    DOUBTFUL,
    OTHER,
    UNIT,
    VALUE,
    WHEN,
)
from timba.temperatures.layout.layouts import PLAIN_FIELDS, Columns, Unit
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
_POSITIONS: Final = ((CITY, COUNTER), (TEMPERATURE, VALUE), WHEN)
_WORDS: Final = {
    CITY: "city",
    TEMPERATURE: "temperature",
    TIMESTAMP: "time",
    TIME: "time",
    DATE: "date",
}


@dataclass(kw_only=True, slots=True)
class ColumnChoice:
    """The column of each field by index, and what is open."""

    columns: dict[str, int] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def to_columns(self) -> Columns:
        """Return the columns of a layout; those that are open have the place of the plain one."""
        return Columns(
            city=self.columns.get(CITY),
            temperature=self.columns.get(TEMPERATURE, 1),
            timestamp=self.columns.get(TIMESTAMP, self.columns.get(DATE, 2)),
            time=self.columns.get(TIME),
        )


def choose_columns(table: Table, answers: Answers) -> ColumnChoice:
    """Return which column is which.

    Raises FileRefused for an answer that names no column of the file.
    """
    choice = ColumnChoice()
    _apply_answers(table, choice, answers)
    if not choice.columns and is_positional_table(table):
        for column, name in enumerate(PLAIN_FIELDS):
            _take(table, choice, name, column)
        return choice
    if not choice.columns.keys() & {TIMESTAMP, DATE}:
        _choose_time(table, choice)
    if TEMPERATURE not in choice.columns:
        _choose_temperature(table, choice)
    if CITY not in choice.columns and CITY not in answers.columns:
        _choose_city(table, choice)
    return choice


def column_name(table: Table, column: int) -> str:
    """Return the name of a column for people: B (“Temp”)."""
    letters = column_letters(column)
    header = table.header[column] if column < len(table.header) else ""
    return f"{letters} (“{header}”)" if header else letters


def is_positional_table(table: Table) -> bool:
    """Return whether a table has the fields of the plain layout, and no header that denies it."""
    if not table.header_row:
        return table.is_positional
    if len(table.cells) != len(PLAIN_FIELDS):
        return False
    for cell, fields in zip(table.cells, _POSITIONS, strict=True):
        if cell is not None and cell.field not in fields:
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
        choice.evidence[f"columns.{name}"] = f"{_title(name)} in column {column}, {source}."


def _take(table: Table, choice: ColumnChoice, name: str, column: int) -> None:
    choice.columns[name] = column
    is_named = column < len(table.cells) and table.cells[column] is not None
    place = f"from line {table.header_row}" if is_named else "by its place"
    choice.evidence[f"columns.{name}"] = (
        f"{_title(name)} in column {column_name(table, column)}, {place}."
    )


def _title(name: str) -> str:
    return {CITY: "City"}.get(name, name.capitalize())


def _named(table: Table, choice: ColumnChoice, *fields: str) -> list[tuple[int, int]]:
    """Return the ranks and columns whose header names one of these fields and that are free."""
    taken = set(choice.columns.values())
    return [
        (cell.rank, index)
        for index, cell in enumerate(table.cells)
        if cell is not None and cell.field in fields and index not in taken
    ]


def _strongest(candidates: Sequence[tuple[int, int]]) -> list[int]:
    best = min((rank for rank, _ in candidates), default=0)
    return sorted(index for rank, index in candidates if rank == best)


def _ask_which(table: Table, choice: ColumnChoice, name: str, columns: Sequence[int]) -> None:
    *first, last = [column_name(table, column) for column in columns]
    word = _WORDS[name]
    count = "both" if len(columns) == 2 else "all"
    choice.questions.append(
        Question(
            field=f"columns.{name}",
            sentence=f"The columns {', '.join(first)} and {last} {count} say {word}. Which one is "
            f"the {word} of the readings?",
            choices=tuple(column + 1 for column in columns),
        )
    )
    choice.columns[name] = columns[0]


def _ask_for_missing(choice: ColumnChoice, name: str, columns: Sequence[int]) -> None:
    choice.questions.append(
        Question(
            field=f"columns.{name}",
            sentence=f"No column says that it holds the {_WORDS[name]}. Which one is it?",
            choices=tuple(column + 1 for column in columns),
        )
    )
    if columns:
        choice.columns[name] = columns[0]


def _choose_temperature(table: Table, choice: ColumnChoice) -> None:
    named = [each for each in _named(table, choice, TEMPERATURE) if each[0] < DOUBTFUL]
    if not named and table.names(UNIT):
        named = _named(table, choice, VALUE)
    numeric = [each for each in named if table.count(each[1], NUMBER)]
    columns = _strongest(numeric or named)
    if len(columns) > 1:
        columns = _without_conversions(table, columns)
    if len(columns) == 1:
        _take(table, choice, TEMPERATURE, columns[0])
    elif columns:
        _ask_which(table, choice, TEMPERATURE, columns)
    else:
        _ask_for_missing(choice, TEMPERATURE, _free_numbers(table, choice))


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
    named = _named(table, choice, CITY)
    columns = _strongest([each for each in named if table.is_mostly(each[1], CITY_NUMBER)])
    ranks = {index: rank for rank, index in named}
    if len(columns) == 1 and ranks[columns[0]] < BROAD:
        _take(table, choice, CITY, columns[0])
    elif len(columns) == 1 and not _counts(table, columns[0]):
        _ask_whether_city(table, choice, columns[0])
    elif len(columns) > 1:
        _ask_which(table, choice, CITY, columns)
    elif not table.header_row and table.width == len(PLAIN_FIELDS):
        free = [i for i in range(table.width) if i not in choice.columns.values()]
        _ask_for_missing(choice, CITY, [i for i in free if table.is_mostly(i, CITY_NUMBER)])


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
    """Return whether a column counts the rows: 1, 2, 3, …."""
    texts = [table.text(row, column) for row in table.sample]
    numbers = [int(text) for text in texts if CITY_NUMBER.fullmatch(text)]
    steps = sum(after == before + 1 for before, after in pairwise(numbers))
    return len(numbers) >= _LEAST_COUNTED and steps >= _COUNTING_SHARE * (len(numbers) - 1)


def _choose_time(table: Table, choice: ColumnChoice) -> None:
    """Take the column of moments that the header calls a time, or those of dates and of times."""
    named = _named(table, choice, *WHEN)
    if not table.header_row:
        named = [(0, index) for index in range(table.width)]
    moments = _strongest([each for each in named if table.is_mostly(each[1], MOMENT)])
    dates = _strongest([each for each in named if table.is_mostly(each[1], DATE_ALONE)])
    times = _strongest([each for each in named if table.is_mostly(each[1], TIME_ALONE)])
    if len(moments) == 1 and times and _are_dates(table, moments[0]):
        _ask_which(table, choice, TIMESTAMP, [*moments, *times])
    elif len(moments) == 1:
        _take(table, choice, TIMESTAMP, moments[0])
    elif moments:
        _ask_which(table, choice, TIMESTAMP, moments)
    elif dates and times:
        for name, columns in ((DATE, dates), (TIME, times)):
            if len(columns) == 1:
                _take(table, choice, name, columns[0])
            else:
                _ask_which(table, choice, name, columns)
    else:
        _choose_unread_time(table, choice, named)


def _choose_unread_time(
    table: Table, choice: ColumnChoice, named: Sequence[tuple[int, int]]
) -> None:
    """Take a column of times none of whose first fields is one, or ask which it is."""
    by_field = {field: _strongest(_named(table, choice, field)) for field in WHEN}
    if by_field[TIMESTAMP]:
        _take(table, choice, TIMESTAMP, by_field[TIMESTAMP][0])
    elif by_field[DATE] and by_field[TIME]:
        _take(table, choice, DATE, by_field[DATE][0])
        _take(table, choice, TIME, by_field[TIME][0])
    elif named:
        _take(table, choice, TIMESTAMP, _strongest(named)[0])
    else:
        moments = [i for i in range(table.width) if table.is_mostly(i, MOMENT)]
        _ask_for_missing(choice, TIMESTAMP, moments)


def _are_dates(table: Table, column: int) -> bool:
    """Return whether all moments of a column are midnight, as of a spreadsheet's dates."""
    texts = [table.text(row, column) for row in table.sample]
    return all(is_midnight(text) for text in texts if MOMENT.fullmatch(text))
