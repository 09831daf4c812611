"""Recognizes the tallies that Timba itself has exported, by their headers."""

from __future__ import annotations

from typing import Final

from timba.tallies.exporting.spreadsheets import XLSX_HEADER
from timba.tallies.exporting.tally import TallyLog
from timba.tallies.layout.tables import Table

CSV_HEADER: Final = TallyLog._fields  # noqa: SLF001 - public, in spite of its name


def is_own_csv(table: Table) -> bool:
    """Return whether a table has the header of Timba's CSV, also when saved as a workbook."""
    return _texts(table) == CSV_HEADER


def is_own_export(table: Table) -> bool:
    """Return whether a table has the header of one of Timba's exports."""
    return _texts(table) in (CSV_HEADER, XLSX_HEADER)


def _texts(table: Table) -> tuple[str, ...]:
    return tuple(column.text for _, column in sorted(table.columns.items()))
