"""Tells how a temperature file was read: its layout and the evidence for it, and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from timba.files.table_heads import HEAD_ROWS, show_table
from timba.temperatures.layout.answers import CITY, DATE, TEMPERATURE, TIME, TIMESTAMP
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.tables import Table
from timba.temperatures.layout.zones import format_offset

# Columns that are shown with a question.
_MAX_COLUMNS: Final = 50


def describe_layout(layout: Layout, evidence: Mapping[str, str]) -> dict[str, Any]:
    """Return `read_as`: the layout as answers have it, with a sentence for each decision."""
    read_as: dict[str, Any] = {
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "decimal": layout.decimal,
        "columns": describe_columns(layout),
        "unit": layout.unit.value,
        "dates": layout.dates.value,
        "zone": format_offset(layout.zone_offset),
        "skipped_lines": layout.skipped_lines,
        "profile": None,
        "evidence": dict(evidence),
    }
    if layout.city_id is not None:
        read_as["city_id"] = layout.city_id
    return read_as


def describe_columns(layout: Layout) -> dict[str, int | None]:
    """Return the numbers of the columns, from 1; None for a file without a column of cities."""
    columns = layout.columns
    city = None if columns.city is None else columns.city + 1
    numbers: dict[str, int | None] = {CITY: city, TEMPERATURE: columns.temperature + 1}
    if columns.time is None:
        return {**numbers, TIMESTAMP: columns.timestamp + 1}
    return {**numbers, DATE: columns.timestamp + 1, TIME: columns.time + 1}


def show_head(table: Table, layout: Layout) -> list[dict[str, Any]]:
    """Return the header and first rows of the table, in the form of those of a tally."""
    fields = {n - 1: name for name, n in describe_columns(layout).items() if n is not None}
    rows = [row for row in table.rows if row.number > layout.skipped_lines][:HEAD_ROWS]
    width = max([len(table.header), *(len(row.fields) for row in rows)])
    headers = {
        index: table.header[index] if index < len(table.header) else ""
        for index in range(min(width, _MAX_COLUMNS))
    }
    return [
        show_table(
            number=1,
            sheet="",
            header_row=table.header_row or None,
            headers=headers,
            fields=fields,
            rows=[(row.number, [table.text(row, index) for index in headers]) for row in rows],
        )
    ]
