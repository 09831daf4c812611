"""Tells how a sheet was read: its layout and the evidence for it, its first rows, its header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from timba.files.table_heads import HEAD_ROWS, show_table
from timba.tallies.cells.grids import Workbook
from timba.tallies.layout.layouts import Layout
from timba.tallies.layout.tables import Table
from timba.tallies.parsing import ParsedRows
from timba.tallies.words.vocabulary import MEASURES

# Tables whose first rows are told.
_MAX_TABLES: Final = 50


def describe_layouts(
    layouts: Sequence[Layout], workbook: Workbook, *, table_count: int
) -> dict[str, Any]:
    """Return `read_as`: the layout of the first table, and of each where the file has several.

    That of a table without logs is empty, so that each has the place of its number.
    """
    described = {layout.table.number: _describe(layout) for layout in layouts}
    first = next(iter(described.values()), {})
    read_as = {**first, "encoding": workbook.encoding, "delimiter": workbook.delimiter}
    if table_count > 1:
        read_as["tables"] = [described.get(number, {}) for number in range(1, table_count + 1)]
    return read_as


def _describe(layout: Layout) -> dict[str, Any]:
    marks = {style.decimal for name, style in layout.styles.items() if style and name in MEASURES}
    columns: dict[str, int | None] = {name: i + 1 for name, i in layout.columns.items()}
    if layout.makes_barcodes:
        columns["barcode"] = None
    return {
        "columns": columns,
        "units": dict(layout.units),
        "decimal": marks.pop() if len(marks) == 1 else None,
        "sheet": layout.table.sheet,
        "header_row": layout.table.header.row,
        "evidence": dict(layout.evidence),
    }


def show_head(layouts: Sequence[Layout]) -> list[dict[str, Any]]:
    """Return the header and first rows of each table, as the spreadsheet shows them."""
    return [_show_table(layout) for layout in layouts[:_MAX_TABLES]]


def _show_table(layout: Layout) -> dict[str, Any]:
    table = layout.table
    fields = {index: name for name, index in layout.columns.items()}
    rows = table.rows[:HEAD_ROWS]
    width = max((len(row.cells) for row in rows), default=0)
    shown = [
        index
        for index in range(table.start, max(table.header.last + 1, min(width, table.end)))
        if index not in table.hidden_columns
        and (index in table.columns or any(table.cell(row, index) for row in rows))
    ]
    headers = {i: table.columns[i].text if i in table.columns else "" for i in shown}
    return show_table(
        number=table.number,
        sheet=table.sheet,
        header_row=table.header.row,
        headers=headers,
        fields=fields,
        rows=[(row.number, [_shown_text(table, row, i) for i in shown]) for row in rows],
    )


def _shown_text(table: Table, row: Any, index: int) -> str:
    cell = table.cell(row, index)
    if cell is None:
        return ""
    return cell.text or f"={cell.formula}"


def header_texts(tables: Sequence[Table]) -> list[list[str]]:
    """Return the texts of the header of each table."""
    return [[column.text for _, column in sorted(table.columns.items())] for table in tables]


def count_reasons(left_out: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return how many rows were left out by reason, the most first."""
    return [
        {"reason": reason, "count": count}
        for reason, count in Counter(left_out).most_common()
        if count
    ]


def count_sheets(
    names: Sequence[str], tables: Sequence[Table], rows: ParsedRows
) -> list[dict[str, Any]]:
    """Return the rows and the logs of each of these sheets."""
    accepted = Counter(tables[log.table].sheet for log in rows.logs)
    rejected = Counter(tables[row.table].sheet for row in rows.rejected)
    return [
        {"name": name, "rows": accepted[name] + rejected[name], "accepted": accepted[name]}
        for name in names
    ]
