"""Tells the rows of a table that are no logs: totals, averages, notes, signatures, empty ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set
from functools import lru_cache
from typing import Final

from timba.tallies.cells.grids import Cell, CellKind, Row
from timba.tallies.layout.header_rows import is_number_like
from timba.tallies.layout.layouts import Layout
from timba.tallies.words.row_words import reason_left_out
from timba.tallies.words.vocabulary import BARCODE, MEASURES, VOLUME

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
# A number of pieces may be that of the logs above.
_COUNT: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[A-Z]{0,2}")
_SUMS: Final = frozenset((TOTAL, "subtotal", AVERAGE, MINIMUM, MAXIMUM, "carried_forward"))
_SUMMED_AS: Final = (TOTAL, AVERAGE, MINIMUM, MAXIMUM)
_find_reason: Final = lru_cache(maxsize=4096)(reason_left_out)


def data_columns(layout: Layout) -> Set[int]:
    """Return the columns that are filled beside most barcodes: “Media” in one is a quality."""
    table = layout.table
    rows = [row for row in table.rows if _is_filled(layout.cell(row, BARCODE))]
    filled = Counter(index for row in rows for index, _ in table.cells(row))
    return {index for index, count in filled.items() if 2 * count > len(rows)}


def why_left_out(layout: Layout, row: Row, data_columns: Set[int]) -> str | None:
    """Return why a row is no log, or None for one that is a log or a reject."""
    if row.line_error:
        return None
    barcode = layout.cell(row, BARCODE)
    measures = [layout.cell(row, name) for name in MEASURES]
    label = barcode.text.strip() if barcode is not None else ""
    if layout.is_own_export and label and all(map(_is_filled, measures)):
        return _summed_as(*measures)
    if reason := _reason_by_words(layout, row, label, data_columns):
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


def _reason_by_words(layout: Layout, row: Row, label: str, data_columns: Set[int]) -> str | None:
    """Return the reason that the words of a row give.

    They are its barcode, and where there is none, every text. Texts that stand beside a barcode or
    beside all measures only say what the row sums up.
    """
    column = layout.columns.get(BARCODE, -1)
    reason = _find_reason(label) if label and not _CODE.fullmatch(label) else None
    if reason:
        return reason
    has_measures = all(_is_filled(layout.cell(row, name)) for name in MEASURES)
    is_log = has_measures and bool(_CODE.fullmatch(label)) and not _COUNT.fullmatch(label)
    is_complete = bool(label) or has_measures
    end = _end_of_labels(layout, label)
    for index, cell in layout.table.cells(row):
        if index == column or index >= end or cell.kind is not CellKind.TEXT:
            continue
        reason = _find_reason(cell.text)
        if reason and (reason in _SUMS or not is_complete):
            return None if is_log and index in data_columns else reason
    return None


def _end_of_labels(layout: Layout, label: str) -> int:
    """Return the column before which texts may label a row: left of its barcode or measures."""
    if not label:
        return layout.table.end
    if label.isdigit():
        return min(layout.columns[name] for name in MEASURES if name in layout.columns)
    return layout.columns[BARCODE]


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
