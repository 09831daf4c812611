"""The choice of columns in the making: what is taken, from where, and what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.files.answers import listed
from timba.files.columns import column_letters
from timba.files.questions import Question
from timba.temperatures.layout.answers import CITY, DATE, TEMPERATURE, TIME, TIMESTAMP
from timba.temperatures.layout.layouts import Columns
from timba.temperatures.layout.tables import Table

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


def column_name(table: Table, column: int) -> str:
    """Return the name of a column for people: B (“Temp”)."""
    letters = column_letters(column)
    header = table.header[column] if column < len(table.header) else ""
    return f"{letters} (“{header}”)" if header else letters


def take(table: Table, choice: ColumnChoice, name: str, column: int) -> None:
    choice.columns[name] = column
    is_named = column < len(table.cells) and table.cells[column] is not None
    place = f"from {table.header_place}" if is_named else "by its place"
    choice.evidence[f"columns.{name}"] = (
        f"{title(name)} in column {column_name(table, column)}, {place}."
    )


def title(name: str) -> str:
    return {CITY: "City"}.get(name, name.capitalize())


def columns_named(table: Table, choice: ColumnChoice, *fields: str) -> list[tuple[int, int]]:
    """Return the ranks and columns whose header names one of these fields and that are free."""
    taken = set(choice.columns.values())
    return [
        (cell.rank, index)
        for index, cell in enumerate(table.cells)
        if cell is not None and cell.field in fields and index not in taken
    ]


def strongest(candidates: Sequence[tuple[int, int]]) -> list[int]:
    best = min((rank for rank, _ in candidates), default=0)
    return sorted(index for rank, index in candidates if rank == best)


def ask_which(table: Table, choice: ColumnChoice, name: str, columns: Sequence[int]) -> None:
    names = listed([column_name(table, column) for column in columns], "and")
    word = _WORDS[name]
    count = "both" if len(columns) == 2 else "all"
    claim = f"{count} say {word}" if table.header_row else f"could {count} be the {word}"
    choice.questions.append(
        Question(
            field=f"columns.{name}",
            sentence=f"The columns {names} {claim}. Which one is the {word} of the readings?",
            choices=tuple(column + 1 for column in columns),
        )
    )
    choice.columns[name] = columns[0]


def ask_for_missing(choice: ColumnChoice, name: str, columns: Sequence[int]) -> None:
    by_number = "Give the number of the column that holds it; the first column is 1."
    which = "Which one is it?" if columns else by_number
    choice.questions.append(
        Question(
            field=f"columns.{name}",
            sentence=f"No column says that it holds the {_WORDS[name]}. {which}",
            choices=tuple(column + 1 for column in columns),
        )
    )
    if columns:
        choice.columns[name] = columns[0]
