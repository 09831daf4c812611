"""Decides which column of a table is which field of a log, or asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from timba.files.processors.base import FileRefused
from timba.files.questions import Question
from timba.tallies.layout.groups import Group, header_of
from timba.tallies.layout.header_rows import is_number_like
from timba.tallies.layout.split_measures import (
    are_parts,
    ask_about_parts,
    has_merged_part_beside,
    has_rest_beside,
)
from timba.tallies.parsing import FIELDS
from timba.tallies.words.vocabulary import (
    BARCODE,
    BREADTH,
    BROAD,
    COUNTER,
    DIAMETER,
    DOUBTFUL,
    HEIGHT,
    MEASURES,
    PIECES,
    VOLUME,
)

ONLY_BREADTH_AND_HEIGHT: Final = (
    "Only logs with breadth and height can be registered. Replace the diameters in the sheet, then "
    "upload it again."
)
# A column counts its rows if so many of its numbers are one more than the one above.
_COUNTING_SHARE: Final = 0.9
_WHOLE: Final = re.compile(r"\d{1,6}[.)]?", re.ASCII)


class MissingColumns(Exception):
    """A table names too few columns, and no other column could be one of the missing."""


@dataclass(kw_only=True, slots=True)
class ColumnChoice:
    """The column of each field by index, and what is open."""

    columns: dict[str, int] = field(default_factory=dict)
    makes_barcodes: bool = False
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def choose_columns(group: Group) -> ColumnChoice:
    """Return which column is which.

    Raises MissingColumns, and FileRefused for an answer that names no column of the sheet.
    """
    choice = ColumnChoice()
    _apply_answers(group, choice)
    for name in (*MEASURES, VOLUME, PIECES):
        if name not in choice.columns:
            _choose(group, choice, name)
    if BARCODE not in choice.columns and not choice.makes_barcodes:
        _choose_barcode(group, choice)
    _ask_for_missing(group, choice)
    return choice


def _apply_answers(group: Group, choice: ColumnChoice) -> None:
    for name, number in group.answers.columns.items():
        if number is None:
            choice.makes_barcodes = True
            choice.evidence[f"columns.{name}"] = "Barcodes are made, as answered."
            continue
        index = number - 1
        table = group.table
        if not table.start < number <= table.width or index in table.hidden_columns:
            raise FileRefused(
                f"The answer “{group.prefix}columns.{name}” is {number}, but the sheet has no such "
                f"column. It has {table.width}."
            )
        choice.columns[name] = index
        choice.evidence[f"columns.{name}"] = (
            f"{name.capitalize()} in column {group.name(index)}, as answered."
        )


def _free_columns(group: Group, choice: ColumnChoice) -> list[int]:
    """Return the columns that are no field yet and have cells, header columns first."""
    taken = set(choice.columns.values())
    table = group.table
    candidates = [i for i in range(table.start, table.width) if i not in taken]
    return [i for i in candidates if i not in table.hidden_columns and any(group.cells(i))]


def _candidates(group: Group, choice: ColumnChoice, name: str) -> list[tuple[int, int]]:
    """Return the ranks and columns whose header names a field; empty ones only if all are."""
    taken = set(choice.columns.values())
    named = [
        (column.cell.rank, index)
        for index, column in group.table.columns.items()
        if column.cell is not None and column.cell.field == name and index not in taken
    ]
    return [each for each in named if any(True for _ in group.cells(each[1]))] or named


def _strongest(candidates: Sequence[tuple[int, int]]) -> list[int]:
    best = min((rank for rank, _ in candidates), default=0)
    return sorted(index for rank, index in candidates if rank == best)


def _choose(group: Group, choice: ColumnChoice, name: str) -> None:
    """Take the column whose header names a field best, or ask where several do so equally."""
    columns = _strongest(_candidates(group, choice, name))
    if not columns:
        return
    if len(columns) == 1 or (name in FIELDS and _are_equal(group, columns)):
        _take(group, choice, name, columns[0])
        if name in MEASURES and has_rest_beside(group, columns[0]):
            parts = (columns[0], columns[0] + 1)
            choice.questions.append(ask_about_parts(group, name, parts))
    elif name in FIELDS:
        choice.questions.append(_ask_which(group, name, columns))


def _take(group: Group, choice: ColumnChoice, name: str, column: int) -> None:
    choice.columns[name] = column
    row = group.table.header.row
    choice.evidence[f"columns.{name}"] = (
        f"{name.capitalize()} in column {group.name(column)}, from row {row}."
    )


def _are_equal(group: Group, columns: Sequence[int]) -> bool:
    """Return whether the columns hold the same texts and name the same unit."""
    cells = [header_of(group, column).cell for column in columns]
    units = {(cell.unit, cell.unknown_unit) for cell in cells if cell}
    texts = {tuple(cell.text for cell in group.cells(column)) for column in columns}
    return len(units) == 1 and len(texts) == 1


def _ask_which(group: Group, name: str, columns: Sequence[int]) -> Question:
    if are_parts(group, columns):
        return ask_about_parts(group, name, columns)
    titles = " and ".join(group.name(column) for column in columns)
    return Question(
        field=f"{group.prefix}columns.{name}",
        sentence=f"The columns {titles} both say {name}. Which one is the {name} of the logs?",
        choices=tuple(column + 1 for column in columns),
    )


def _choose_barcode(group: Group, choice: ColumnChoice) -> None:
    named = _candidates(group, choice, BARCODE)
    counting = [each for each in named if _counts_rows(group, each[1])]
    columns = _strongest([each for each in named if each not in counting])
    if not columns and counting and min(counting)[0] == 0:
        columns = [min(counting)[1]]
    if len(columns) == 1 or (columns and _are_equal(group, columns)):
        _take(group, choice, BARCODE, columns[0])
        if has_merged_part_beside(group, columns[0]):
            parts = (columns[0], columns[0] + 1)
            choice.questions.append(ask_about_parts(group, BARCODE, parts))
        return
    if columns:
        choice.questions.append(_ask_which(group, BARCODE, columns))
        return
    counters = _candidates(group, choice, COUNTER)
    for _, column in counters:
        if _has_letters(group, column):
            _take(group, choice, BARCODE, column)
            return
    choice.questions.append(_ask_for_barcodes(group, choice, [*counting, *counters]))


def _ask_for_barcodes(
    group: Group, choice: ColumnChoice, counters: Iterable[tuple[int, int]]
) -> Question:
    columns = [column for _, column in counters]
    if columns:
        sentence = (
            f"The column {group.name(columns[0])} may only count the rows. Does it hold the "
            "barcodes, or shall barcodes be made?"
        )
    else:
        columns = _free_columns(group, choice)
        sentence = (
            "No column says that it holds the barcodes. Which one is it, or shall they be made?"
        )
    return Question(
        field=f"{group.prefix}columns.{BARCODE}",
        sentence=sentence,
        choices=(*(column + 1 for column in columns), None),
    )


def _counts_rows(group: Group, column: int) -> bool:
    """Return whether a column counts 1, 2, 3, …, perhaps anew on each page."""
    previous, steps, numbers, others = 0, 0, 0, 0
    for cell in group.cells(column):
        text = cell.text.strip()
        if _WHOLE.fullmatch(text):
            number = int(text.rstrip(".)"))
            steps += number in (previous + 1, 1)
            previous, numbers = number, numbers + 1
        elif any(letter.isdigit() for letter in text):
            others += 1
    return numbers > others and steps >= _COUNTING_SHARE * numbers


def _has_letters(group: Group, column: int) -> bool:
    """Return whether more values are codes with letters or marks than are whole numbers."""
    codes = numbers = 0
    for cell in group.cells(column):
        text = cell.text.strip()
        if _WHOLE.fullmatch(text) or text.isdigit():
            numbers += 1
        elif any(letter.isdigit() for letter in text):
            codes += 1
    return codes > numbers


def _ask_for_missing(group: Group, choice: ColumnChoice) -> None:
    """Ask which columns the missing measures are."""
    asked = {question.field for question in choice.questions}
    missing = [
        name
        for name in MEASURES
        if name not in choice.columns and f"{group.prefix}columns.{name}" not in asked
    ]
    if not missing:
        return
    # “D” beside a breadth may be the thickness (Dicke) as well.
    weakest = DOUBTFUL if {BREADTH, HEIGHT} <= set(missing) else BROAD
    candidates = _candidates(group, choice, DIAMETER)
    diameters = [index for rank, index in candidates if rank <= weakest]
    if diameters and not {BREADTH, HEIGHT}.isdisjoint(missing):
        choice.questions.append(_refuse_diameters(group, missing, diameters))
        missing = [name for name in missing if name not in (BREADTH, HEIGHT)]
    free = [i for i in _free_columns(group, choice) if i not in diameters]
    numeric = tuple(i + 1 for i in free if _is_numeric(group, i))
    for name in missing:
        if len(numeric) < len(missing):
            raise MissingColumns(_missing_sentence(group, missing))
        choice.questions.append(
            Question(
                field=f"{group.prefix}columns.{name}",
                sentence=f"No column says that it holds the {name}. Which one is it?",
                choices=numeric,
            )
        )


def _refuse_diameters(group: Group, missing: Sequence[str], columns: Sequence[int]) -> Question:
    titles = " and ".join(group.name(column) for column in columns)
    place = "column" if len(columns) == 1 else "columns"
    name = BREADTH if BREADTH in missing else HEIGHT
    return Question(
        field=f"{group.prefix}columns.{name}",
        sentence=f"The sheet gives diameters, in {place} {titles}. {ONLY_BREADTH_AND_HEIGHT}",
    )


def _is_numeric(group: Group, column: int) -> bool:
    cells = list(group.cells(column))
    return 2 * sum(map(is_number_like, cells)) > len(cells)


def _missing_sentence(group: Group, missing: Sequence[str]) -> str:
    table = group.table
    place = (
        f"Row {table.header.row} of “{table.sheet}”" if table.sheet else f"Row {table.header.row}"
    )
    return f"{place} names no column {' or '.join(missing)}. Name the columns so."
