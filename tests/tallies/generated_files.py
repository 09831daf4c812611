"""Writes random tables of logs as workbooks and CSVs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import openpyxl

from tests.tallies.generator import Barcodes, Log, Table, TableWriter
from tests.tallies.sheets import save

UNICODE: Final = ("utf-8", "utf-8-sig", "utf-16")
WINDOWS: Final = ("cp1250", "cp1251", "cp1252", "cp1257")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A file, the logs in it, and whether it can be read without a question."""

    content: bytes
    logs: Sequence[Log]
    is_plain: bool


def generate_sheet(seed: int) -> Sheet:
    """Return the file of a seed, always the same."""
    rng = Random(seed)
    barcodes = Barcodes(rng)
    is_csv = rng.random() < 0.4
    count = 1 if is_csv else rng.choice((1, 1, 1, 2, 3))
    tables = [TableWriter(rng, barcodes, is_csv=is_csv).write() for _ in range(count)]
    is_plain = all(table.is_plain for table in tables)
    if is_csv:
        content, is_certain = _write_csv(rng, tables[0])
        is_plain = is_plain and is_certain
    else:
        hidden = [TableWriter(rng, barcodes, is_csv=False).write()] if rng.random() < 0.15 else []
        content = _write_workbook(tables, hidden, is_stacked=rng.random() < 0.3)
    logs = [log for table in tables for log in table.logs]
    return Sheet(content=content, logs=logs, is_plain=is_plain)


def _write_workbook(tables: Sequence[Table], hidden: Sequence[Table], *, is_stacked: bool) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for table in (*tables, *hidden):
        if table in hidden or not is_stacked or not book.worksheets:
            worksheet, first = book.create_sheet(), 1
        else:
            first = worksheet.max_row + 2
        worksheet.sheet_state = "hidden" if table in hidden else "visible"
        for number, row in enumerate(table.rows, start=first):
            for column, value in enumerate(row, start=1):
                cell = worksheet.cell(number, column)
                cell.value, cell.number_format = (
                    value if isinstance(value, tuple) else (value or None, "General")
                )
            worksheet.row_dimensions[number].hidden = number - first in table.hidden
    return save(book)


def _write_csv(rng: Random, table: Table) -> tuple[bytes, bool]:
    """Return the bytes of a CSV, and whether their encoding can be told."""
    text = io.StringIO()
    has_commas = any("," in str(cell) for row in table.rows for cell in row)
    writer = csv.writer(text, delimiter=rng.choice(";\t" if has_commas else ",;\t"))
    writer.writerows(table.rows)
    encoding = rng.choice((*UNICODE, "windows"))
    if encoding != "windows":
        return text.getvalue().encode(encoding), True
    for encoding in WINDOWS:
        try:
            return text.getvalue().encode(encoding), text.getvalue().isascii()
        except UnicodeEncodeError:
            continue
    return text.getvalue().encode(), True
