"""Reads a tally sheet: finds the table of logs in it, and says of each of its rows what it is.

Runs in the sandbox; which logs are known already, it cannot know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from timba.consignments.measures import BARCODE_RULE, MEASURE_DECIMALS, MEASURE_DIGITS, is_barcode
from timba.files.processors.base import FileRefused, ReadResult, Source
from timba.tallies.headers import (
    BARCODE,
    BREADTH,
    FIELDS,
    HEIGHT,
    LENGTH,
    MEASURES,
    Columns,
    find_columns,
)
from timba.tallies.workbooks import Sheet, open_sheets

# More of them would be written in one transaction that others wait for.
MAX_ROWS: Final = 20_000
MAX_TEXT: Final = 1000
# Spreadsheets keep numbers in floats: of a longer one the last digits are others than were typed.
MAX_EXACT: Final = 10**15
TOTALS: Final = frozenset(
    ("total", "totals", "subtotal", "grand total", "sum", "kopā", "summe", "gesamt", "итого")
)
UNIT_NAMES: Final = {LENGTH: "m", BREADTH: "cm", HEIGHT: "cm"}
TOO_MANY: Final = f"It holds more than {MAX_ROWS:,} logs. Split it into several sheets."
_TICK: Final = Decimal(1).scaleb(-MEASURE_DECIMALS)
_TOO_LARGE: Final = Decimal(10) ** (MEASURE_DIGITS - MEASURE_DECIMALS)
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:[.,][0-9]{1,20})?", re.ASCII)
_QUOTED: Final = 60

# A header stands near the top; a sheet that goes on without one is something else.
MAX_TITLE_ROWS: Final = 200
ROWS: Final = "rows"
NO_HEADER: Final = (
    "It has no row that heads the columns barcode, length, breadth and height. Name them so."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A sheet's table of logs: where its header stands, and the rows below."""

    sheet: Sheet
    header_row: int
    columns: Columns


def read_tally(source: Source) -> ReadResult:
    """Return where the sheet says what, and its rows as the object `rows`; raise FileRefused.

    Each row is `[number, barcode, length, breadth, height]`, or `[number, faults, text]` for one
    that is no log.
    """
    with source.open() as stream:
        table = find_table(open_sheets(stream))
        first = table.header_row + 1
        tally = read_rows(table.sheet.rows, table.columns, first=first)
    offset = table.sheet.first_column
    place = {name: offset + table.columns.index[name] for name in FIELDS}
    findings = {"sheet": table.sheet.name, "columns": place}
    return ReadResult(findings=findings, objects={ROWS: _packed(tally)})


def find_table(sheets: Iterable[Sheet]) -> Table:
    """Return the first table of logs; raise FileRefused where there is none."""
    nearest: tuple[int, str] = (len(FIELDS), NO_HEADER)
    for sheet in sheets:
        for number, cells in enumerate(sheet.rows, start=1):
            if number > MAX_TITLE_ROWS:
                break
            columns = find_columns(cells)
            if isinstance(columns, Columns):
                return Table(sheet=sheet, header_row=number, columns=columns)
            if len(columns) < nearest[0] and len(columns) < len(FIELDS) - 1:
                nearest = len(columns), _lacking(sheet, number, columns)
    raise FileRefused(nearest[1])


def _lacking(sheet: Sheet, number: int, fields: frozenset[str]) -> str:
    missing = [name for name in FIELDS if name in fields]
    place = f"Row {number} of “{sheet.name}”" if sheet.name else f"Row {number}"
    return f"{place} names no column {' or '.join(missing)}. Name the columns so."


def _packed(tally: Tally) -> bytes:
    logs: list[list[Any]] = [
        [log.row, log.barcode, *(str(log.measures[name]) for name in MEASURES)]
        for log in tally.logs
    ]
    bad: list[list[Any]] = [[row.row, dict(row.faults), row.text] for row in tally.bad]
    return json.dumps({"logs": logs, "bad": bad}, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetLog:
    """A row that is a log: its number in the sheet, from 1, and what it says.

    Its barcode keeps the blanks around it: they may be part of one that is there already.
    """

    row: int
    barcode: str
    measures: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that is none: the sentence for each field that is in the way, and what it says."""

    row: int
    faults: Mapping[str, str]
    text: str


@dataclass(kw_only=True, slots=True)
class Tally:
    """The logs of a sheet, and its rows that are none."""

    logs: list[SheetLog] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def read_rows(rows: Iterable[Sequence[Any]], columns: Columns, *, first: int) -> Tally:
    """Return the tally that stands below a header; blank rows and totals are none of it.

    `first` is the number of the first of these rows. Raises FileRefused for more than can be read.
    """
    tally = Tally()
    seen: dict[str, int] = {}
    for number, cells in enumerate(rows, start=first):
        values = {name: _cell(cells, columns.index[name]) for name in FIELDS}
        if not any(value != "" for value in values.values()) or _is_total(values, cells):
            continue
        judged = _judge(number, values, columns, seen)
        if isinstance(judged, SheetLog):
            written = cells[columns.index[BARCODE]]
            tally.logs.append(
                replace(judged, barcode=written) if _is_barcode_text(written) else judged
            )
        else:
            tally.bad.append(judged)
        if len(tally.logs) + len(tally.bad) > MAX_ROWS:
            raise FileRefused(TOO_MANY)
    return tally


def _judge(
    number: int, values: Mapping[str, Any], columns: Columns, seen: dict[str, int]
) -> SheetLog | BadRow:
    faults: dict[str, str] = {}
    barcode = ""
    measures = {}
    try:
        barcode = _barcode(values[BARCODE])
        # The first row of a barcode counts, even where it is bad: which one is meant, nobody knows.
        if (above := seen.setdefault(barcode, number)) != number:
            raise _Fault(f"The barcode “{barcode}” is in row {above} already.")
    except _Fault as fault:
        faults[BARCODE] = str(fault)
    for name in MEASURES:
        try:
            measures[name] = _measure(name, values[name], columns.factors[name])
        except _Fault as fault:
            faults[name] = str(fault)
    if faults:
        return BadRow(row=number, faults=faults, text=row_text(values.values()))
    return SheetLog(row=number, barcode=barcode, measures=measures)


def row_text(values: Iterable[Any]) -> str:
    """Return the cells of a row as a person would read them out."""
    return ", ".join(_shown(value) for value in values)[:MAX_TEXT]


class _Fault(Exception):
    """What is in the way in one cell."""


def _cell(cells: Sequence[Any], index: int) -> Any:
    value = cells[index] if index < len(cells) else ""
    return value.strip() if isinstance(value, str) else value


def _is_total(values: Mapping[str, Any], cells: Sequence[Any]) -> bool:
    """Whether a row adds others up: it says so, in the barcode's place or where there is none."""
    said = [values[BARCODE]] if values[BARCODE] != "" else cells
    return any(
        isinstance(cell, str) and cell.strip(" :\u00a0").casefold() in TOTALS for cell in said
    )


def _barcode(value: Any) -> str:
    if value == "":
        raise _Fault("The barcode is missing.")
    if isinstance(value, date | time | timedelta):
        raise _Fault("The barcode is a date or a time. Format its cell as text.")
    if isinstance(value, bool):
        raise _Fault("The barcode is TRUE or FALSE. Format its cell as text.")
    if isinstance(value, int | float) and abs(value) >= MAX_EXACT:
        raise _Fault(
            "The barcode is a number too long to be kept exactly. Format its cell as text."
        )
    text = _shown(value)
    if not is_barcode(text):
        raise _Fault(BARCODE_RULE)
    return text


def _is_barcode_text(value: Any) -> bool:
    return isinstance(value, str) and is_barcode(value)


def _measure(name: str, value: Any, factor: Decimal) -> Decimal:
    if value == "":
        raise _Fault(f"The {name} is missing.")
    if isinstance(value, date | time | timedelta):
        raise _Fault(f"The {name} is a date or a time. Format its cell as a number.")
    number = _number(value)
    if number is None:
        raise _Fault(f"The {name} “{_shown(value)[:_QUOTED]}” is not a number.")
    if number <= 0:
        raise _Fault(f"The {name} must be greater than 0.")
    unit = UNIT_NAMES[name]
    # Before it is rounded: a number of three hundred digits would not be.
    if number * factor >= _TOO_LARGE:
        raise _Fault(f"The {name} is {_TOO_LARGE:,} {unit} or more.")
    kept = (number * factor).quantize(_TICK, rounding=ROUND_HALF_UP)
    if kept >= _TOO_LARGE:
        raise _Fault(f"The {name} is {_TOO_LARGE:,} {unit} or more.")
    if not kept:
        raise _Fault(f"The {name} is less than {_TICK} {unit}.")
    return kept


def _number(value: Any) -> Decimal | None:
    """Return a number as it was typed: as a number, or as text with a decimal point or comma."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = Decimal(repr(value))
        return number if number.is_finite() else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value.replace(",", "."))
    return None


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
