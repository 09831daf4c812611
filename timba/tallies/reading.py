"""Reads a tally sheet: finds its table of logs, and parses each row as a log or rejects it.

`read_tally` runs in the sandbox, without a database: whether a log exists already is decided later,
in `processor.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from timba.consignments.barcode_text import BARCODE_RULE, is_barcode
from timba.consignments.measures import MEASURE_DECIMALS, MEASURE_LIMIT
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

# Rows that a header is searched in: it is near the top of a tally.
MAX_TITLE_ROWS: Final = 200
# All logs are added in one transaction, which others wait for.
MAX_ROWS: Final = 20_000
# Characters of a rejected row that are stored, and of a cell that a message quotes.
MAX_TEXT: Final = 1000
_MAX_QUOTED: Final = 60
# Spreadsheets store numbers as floats, which hold at most 15 significant decimal digits exactly.
MAX_EXACT: Final = 10**15
TOTAL_LABELS: Final = frozenset(
    ("total", "totals", "subtotal", "grand total", "sum", "kopā", "summe", "gesamt", "итого")
)
UNIT_NAMES: Final = {LENGTH: "m", BREADTH: "cm", HEIGHT: "cm"}
# The name of the object with the rows in the result of `read_tally`.
ROWS: Final = "rows"
NO_HEADER: Final = (
    "No row has the headers barcode, length, breadth and height. Name the columns so."
)
TOO_MANY: Final = f"It holds more than {MAX_ROWS:,} logs. Split it into several sheets."
_RESOLUTION: Final = Decimal(1).scaleb(-MEASURE_DECIMALS)
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:[.,][0-9]{1,20})?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A sheet's table of logs: the number of its header row, and the sheet from the next row on."""

    sheet: Sheet
    header_row: int
    columns: Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetLog:
    """A row that is a log: its number in the sheet, from 1, its barcode and measures.

    Lengths are in metres, breadths and heights in centimetres. The barcode keeps the blanks around
    it, because an existing log may have them.
    """

    row: int
    barcode: str
    measures: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedRow:
    """A row that is not a log: its number in the sheet, a message for each bad field, its text."""

    row: int
    errors: Mapping[str, str]
    text: str


@dataclass(kw_only=True, slots=True)
class ParsedRows:
    """The rows of a table: those that are logs and those that are not."""

    logs: list[SheetLog] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)


def read_tally(source: Source) -> ReadResult:
    """Return the name of the sheet and its columns, and its rows as the object `rows`.

    `deserialize_rows` restores the rows. Raises FileRefused for a file without a table of logs or
    with too many rows.
    """
    with source.open() as stream:
        table = find_table(open_sheets(stream))
        rows = parse_rows(table.sheet.rows, table.columns, first_row=table.header_row + 1)
    offset = table.sheet.first_column
    columns = {name: offset + table.columns.index[name] for name in FIELDS}
    findings = {"sheet": table.sheet.name, "columns": columns}
    return ReadResult(findings=findings, objects={ROWS: serialize_rows(rows)})


def find_table(sheets: Iterable[Sheet]) -> Table:
    """Return the first table of logs; raise FileRefused if there is none.

    Its message is about the row that lacks the fewest columns, if one has at least two of them.
    """
    fewest_missing, message = len(FIELDS), NO_HEADER
    for sheet in sheets:
        for number, cells in enumerate(sheet.rows, start=1):
            if number > MAX_TITLE_ROWS:
                break
            columns = find_columns(cells)
            if isinstance(columns, Columns):
                return Table(sheet=sheet, header_row=number, columns=columns)
            if len(columns) < min(fewest_missing, len(FIELDS) - 1):
                fewest_missing = len(columns)
                message = _missing_columns_message(sheet, number, columns)
    raise FileRefused(message)


def parse_rows(rows: Iterable[Sequence[Any]], columns: Columns, *, first_row: int) -> ParsedRows:
    """Return the rows below a header, without blank rows and totals.

    `first_row` is the number of the first of these rows in the sheet. Raises FileRefused if there
    are more than MAX_ROWS.
    """
    parsed = ParsedRows()
    rows_by_barcode: dict[str, int] = {}
    for number, cells in enumerate(rows, start=first_row):
        values = {name: _cell_value(cells, columns.index[name]) for name in FIELDS}
        if not any(value != "" for value in values.values()) or _is_total(values, cells):
            continue
        row = _parse_row(number, values, columns, rows_by_barcode)
        if isinstance(row, SheetLog):
            barcode = cells[columns.index[BARCODE]]
            is_valid = isinstance(barcode, str) and is_barcode(barcode)
            parsed.logs.append(replace(row, barcode=barcode) if is_valid else row)
        else:
            parsed.rejected.append(row)
        if len(parsed.logs) + len(parsed.rejected) > MAX_ROWS:
            raise FileRefused(TOO_MANY)
    return parsed


def serialize_rows(rows: ParsedRows) -> bytes:
    """Return rows as JSON, each as an array: `logs` of five items, `rejected` of three."""
    logs: list[list[Any]] = [
        [log.row, log.barcode, *(str(log.measures[name]) for name in MEASURES)] for log in rows.logs
    ]
    rejected: list[list[Any]] = [[row.row, dict(row.errors), row.text] for row in rows.rejected]
    return json.dumps({"logs": logs, "rejected": rejected}, separators=(",", ":")).encode()


def deserialize_rows(data: bytes) -> ParsedRows:
    """Return the rows that `serialize_rows` made JSON of."""
    rows = json.loads(data)
    return ParsedRows(
        logs=[
            SheetLog(
                row=row,
                barcode=barcode,
                measures=dict(zip(MEASURES, map(Decimal, measures), strict=True)),
            )
            for row, barcode, *measures in rows["logs"]
        ],
        rejected=[
            RejectedRow(row=row, errors=errors, text=text) for row, errors, text in rows["rejected"]
        ],
    )


def format_row(values: Iterable[Any]) -> str:
    """Return the values of a row, separated by commas, as the text of a reject."""
    return ", ".join(_format_value(value) for value in values)[:MAX_TEXT]


class _CellError(Exception):
    """A cell is invalid; the message says why."""


def _missing_columns_message(sheet: Sheet, number: int, fields: frozenset[str]) -> str:
    missing = [name for name in FIELDS if name in fields]
    row = f"Row {number} of “{sheet.name}”" if sheet.name else f"Row {number}"
    return f"{row} names no column {' or '.join(missing)}. Name the columns so."


def _parse_row(
    number: int, values: Mapping[str, Any], columns: Columns, rows_by_barcode: dict[str, int]
) -> SheetLog | RejectedRow:
    """Parse a row; `rows_by_barcode` has the first row of each barcode above, and gets this one."""
    errors: dict[str, str] = {}
    barcode = ""
    measures = {}
    try:
        barcode = _parse_barcode(values[BARCODE])
        # The first row with a barcode counts even if it is bad: which one is meant is not known.
        if (first := rows_by_barcode.setdefault(barcode, number)) != number:
            raise _CellError(f"The barcode “{barcode}” is in row {first} already.")
    except _CellError as error:
        errors[BARCODE] = str(error)
    for name in MEASURES:
        try:
            measures[name] = _parse_measure(name, values[name], columns.factors[name])
        except _CellError as error:
            errors[name] = str(error)
    if errors:
        return RejectedRow(row=number, errors=errors, text=format_row(values.values()))
    return SheetLog(row=number, barcode=barcode, measures=measures)


def _cell_value(cells: Sequence[Any], index: int) -> Any:
    value = cells[index] if index < len(cells) else ""
    return value.strip() if isinstance(value, str) else value


def _is_total(values: Mapping[str, Any], cells: Sequence[Any]) -> bool:
    """Return whether a row is labelled as a total: in place of a barcode, or else in any cell."""
    labels = [values[BARCODE]] if values[BARCODE] != "" else cells
    return any(
        isinstance(label, str) and label.strip(" :\u00a0").casefold() in TOTAL_LABELS
        for label in labels
    )


def _parse_barcode(value: Any) -> str:
    if value == "":
        raise _CellError("The barcode is missing.")
    if isinstance(value, date | time | timedelta):
        raise _CellError("The barcode is a date or a time. Format its cell as text.")
    if isinstance(value, bool):
        raise _CellError("The barcode is TRUE or FALSE. Format its cell as text.")
    if isinstance(value, int | float) and abs(value) >= MAX_EXACT:
        raise _CellError(
            "The barcode is a number too long to be kept exactly. Format its cell as text."
        )
    text = _format_value(value)
    if not is_barcode(text):
        raise _CellError(BARCODE_RULE)
    return text


def _parse_measure(name: str, value: Any, factor: Decimal) -> Decimal:
    """Return a measure in the unit that logs are stored in, rounded half up to a thousandth."""
    if value == "":
        raise _CellError(f"The {name} is missing.")
    if isinstance(value, date | time | timedelta):
        raise _CellError(f"The {name} is a date or a time. Format its cell as a number.")
    number = _parse_number(value)
    if number is None:
        raise _CellError(f"The {name} “{_format_value(value)[:_MAX_QUOTED]}” is not a number.")
    if number <= 0:
        raise _CellError(f"The {name} must be greater than 0.")
    unit = UNIT_NAMES[name]
    # Checked before rounding too, which fails for a number with more digits than its precision.
    if number * factor >= MEASURE_LIMIT:
        raise _CellError(f"The {name} is {MEASURE_LIMIT:,} {unit} or more.")
    measure = (number * factor).quantize(_RESOLUTION, rounding=ROUND_HALF_UP)
    if measure >= MEASURE_LIMIT:
        raise _CellError(f"The {name} is {MEASURE_LIMIT:,} {unit} or more.")
    if not measure:
        raise _CellError(f"The {name} is less than {_RESOLUTION} {unit}.")
    return measure


def _parse_number(value: Any) -> Decimal | None:
    """Return the number in a cell, or in its text with a decimal point or comma, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # The repr of a float is the shortest decimal that stands for it: what was typed.
        number = Decimal(repr(value))
        return number if number.is_finite() else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value.replace(",", "."))
    return None


def _format_value(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)
