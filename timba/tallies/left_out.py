"""Tells the rows of a table that are no logs: totals, averages, notes, signatures, empty ones."""

from __future__ import annotations

import re
from typing import Final

from timba.tallies.grids import Cell, CellKind, Row
from timba.tallies.header_rows import is_number_like
from timba.tallies.layouts import Layout
from timba.tallies.row_words import reason_left_out
from timba.tallies.vocabulary import BARCODE, COUNTER, MEASURES, VOLUME

TOTAL, AVERAGE, MINIMUM, MAXIMUM = "total", "average", "minimum", "maximum"
NOTE, EMPTY = "note", "empty"
# Functions over a range of cells: the row sums others up.
_SUMMING: Final = re.compile(
    r"[+=\s]*(?:_xlfn\.)?(?:(SUM|SUBTOTAL|AGGREGATE|COUNTA?|SUMIFS?|SUMPRODUCT)|(AVERAGE|MEDIAN)"
    r"|(MIN)|(MAX))\([^)]*:",
    re.IGNORECASE,
)
# A barcode of figures and few letters is no word, whatever else it is.
_CODE: Final = re.compile(r"(?!.*[A-Z]{3})[A-Z]{0,2}[-_.#]?[0-9][0-9A-Z\-_./]*")
_SUMS: Final = frozenset((TOTAL, "subtotal", AVERAGE, MINIMUM, MAXIMUM, "carried_forward"))
_SUMMED_AS: Final = (TOTAL, AVERAGE, MINIMUM, MAXIMUM)


def why_left_out(layout: Layout, row: Row) -> str | None:
    """Return why a row is no log, or None for one that is a log or a reject."""
    if row.line_error:
        return None
    barcode = layout.cell(row, BARCODE)
    measures = [layout.cell(row, name) for name in MEASURES]
    label = barcode.text.strip() if barcode is not None else ""
    if reason := _reason_by_words(layout, row, label):
        return reason
    if reason := _summed_as(*measures):
        return reason
    if label:
        return NOTE if _is_merged_over_measures(layout, row) else None
    volume = layout.cell(row, VOLUME)
    if any(_is_filled(cell) for cell in measures):
        return None
    if _is_filled(volume) and is_number_like(volume):
        return _summed_as(volume) or (TOTAL if _is_positive(volume) else EMPTY)
    has_words = any(
        cell.kind is CellKind.TEXT and not is_number_like(cell)
        for _, cell in layout.table.cells(row)
    )
    return NOTE if has_words else EMPTY


def _is_filled(cell: Cell | None) -> bool:
    return cell is not None and (cell.text.strip() != "" or cell.formula != "")


def _is_positive(cell: Cell | None) -> bool:
    return cell is not None and any(digit in cell.text for digit in "123456789")


def _reason_by_words(layout: Layout, row: Row, label: str) -> str | None:
    """Return the reason that the words of a row give.

    They are its barcode, and what stands left of it beneath no header or one that counts. Where
    there is no barcode, every text says it; but of a row with all measures only what it sums up.
    """
    if label and _CODE.fullmatch(label):
        return None
    texts = [
        (index, cell.text)
        for index, cell in layout.table.cells(row)
        if cell.kind is CellKind.TEXT and not is_number_like(cell)
    ]
    if label:
        column = layout.columns[BARCODE]
        texts = [
            (index, text)
            for index, text in texts
            if index == column or (index < column and _only_counts(layout, index))
        ]
        texts = texts or [(column, label)]
    reasons = [reason for _, text in texts if (reason := reason_left_out([text]))]
    if not label and all(_is_filled(layout.cell(row, name)) for name in MEASURES):
        reasons = [reason for reason in reasons if reason in _SUMS]
    return reasons[0] if reasons else None


def _only_counts(layout: Layout, index: int) -> bool:
    columns = layout.table.columns
    return index not in columns or columns[index].field == COUNTER


def _summed_as(*cells: Cell | None) -> str | None:
    for cell in cells:
        if cell is not None and cell.formula and (match := _SUMMING.match(cell.formula)):
            [reason] = [r for r, group in zip(_SUMMED_AS, match.groups(), strict=True) if group]
            return reason
    return None


def _is_merged_over_measures(layout: Layout, row: Row) -> bool:
    """Return whether the barcode's cell is a text across the columns of measures."""
    index = layout.columns.get(BARCODE)
    length = layout.columns.get(MEASURES[0])
    if index is None or length is None:
        return False
    merged = layout.table.merged.get(row.number, ())
    return any(first <= index < length <= last for first, last in merged)
