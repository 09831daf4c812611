"""Reads a tally sheet: finds the table of logs in it, and says of each of its rows what it is.

Runs in the sandbox; which logs are known already, it cannot know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from timba.files.processors.base import FileRefused, Made, Source
from timba.files.sheets.books import Sheet, open_sheets
from timba.files.sheets.headers import FIELDS, MEASURES, Columns, find_columns
from timba.files.sheets.rows import Tally, read_rows

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


def read_tally(source: Source) -> Made:
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
    return Made(findings=findings, objects={ROWS: _packed(tally)})


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
