"""Reads the rows of tables whose layout is decided: each is a log, a reject, or left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from timba.consignments.barcode_text import barcode_key
from timba.consignments.measures import volume
from timba.files.processors.base import FileRefused
from timba.tallies.answers import COLUMN_FIELDS
from timba.tallies.barcode_values import read_barcode
from timba.tallies.cells.grids import Cell, Row
from timba.tallies.exporting.barcode_cells import unescape_barcode
from timba.tallies.layout.layouts import Layout
from timba.tallies.layout.left_out import TOTAL
from timba.tallies.layout.measure_cells import BadCell, read_measure
from timba.tallies.parsing import (
    MAX_ROWS,
    TOO_MANY,
    WHOLE_ROW,
    ParsedRows,
    RejectedRow,
    SheetLog,
    format_row,
)
from timba.tallies.sheet_volumes import TableVolumes, read_volume, reads_volumes
from timba.tallies.words.vocabulary import BARCODE, MEASURES, PIECES

MORE_FIELDS: Final = (
    "The row has more fields than the header. If a field holds a comma or a semicolon, put it in "
    "quotation marks."
)
# Three zeros behind a mark may be thousands.
_PIECES: Final = re.compile(r"(\d{1,6})(?:[.,]0{1,2})?\s*(?:[^\W\d]+\.?)?")


class RowReader:
    """Reads tables one after the other, and remembers the barcodes of all."""

    def __init__(self, *, is_csv: bool) -> None:
        self.rows = ParsedRows()
        self.left_out: Counter[str] = Counter()
        self.volumes: list[TableVolumes] = []
        self._is_csv = is_csv
        self._barcodes: dict[str, tuple[int, int, str]] = {}

    def read(
        self, layout: Layout, index: int, rows: Iterable[Row], left_out: Iterable[tuple[str, Row]]
    ) -> None:
        """Read the rows of a table by its index; raise FileRefused for too many."""
        volumes = TableVolumes(sheet=layout.table.sheet)
        has_volumes = reads_volumes(layout)
        for reason, row in left_out:
            self.left_out[reason] += 1
            if reason == TOTAL and has_volumes and (total := read_volume(layout, row)):
                volumes.totals.append(total)
        for row in rows:
            given = read_volume(layout, row) if has_volumes else None
            read = self._read_row(layout, index, row, given)
            if given is None:
                volumes.missing += 1
            else:
                volumes.given.append(given)
            if isinstance(read, SheetLog):
                self.rows.logs.append(read)
                volumes.computed += volume(**read.measures)
            else:
                self.rows.rejected.append(read)
                volumes.rejected += 1
            if len(self.rows.logs) + len(self.rows.rejected) > MAX_ROWS:
                raise FileRefused(TOO_MANY)
        self.volumes.append(volumes)

    def _read_row(
        self, layout: Layout, index: int, row: Row, given: Decimal | None
    ) -> SheetLog | RejectedRow:
        errors: dict[str, str] = {}
        barcode = self._read_barcode(layout, index, row, errors)
        measures = {}
        for name in MEASURES:
            try:
                cell = layout.cell(row, name)
                style = layout.styles.get(name)
                measures[name] = read_measure(cell, style, layout.units[name], name)
            except BadCell as error:
                errors[name] = str(error)
        if sentence := _pieces_error(layout.cell(row, PIECES)):
            errors[PIECES] = sentence
        if self._is_csv and _has_more_fields(layout, row):
            errors = {WHOLE_ROW: MORE_FIELDS}
        if row.line_error:
            errors = {WHOLE_ROW: row.line_error}
        if errors:
            text = _row_text(layout, row, is_whole=WHOLE_ROW in errors)
            return RejectedRow(table=index, row=row.number, errors=errors, text=text)
        return SheetLog(
            table=index, row=row.number, barcode=barcode, measures=measures, sheet_volume=given
        )

    def _read_barcode(
        self, layout: Layout, index: int, row: Row, errors: dict[str, str]
    ) -> str | None:
        """Return the barcode; None for one that is missing, bad or to be made."""
        if layout.makes_barcodes or row.line_error:
            return None
        try:
            barcode = read_barcode(layout.cell(row, BARCODE))
            if layout.has_escaped_barcodes:
                barcode = unescape_barcode(barcode)
            place = (index, row.number, layout.table.sheet)
            # The first row with a barcode counts even if it is bad: none knows which one is meant.
            first = self._barcodes.setdefault(barcode_key(barcode), place)
            if first != place:
                _, number, sheet = first
                other = f" of “{sheet}”" if sheet != layout.table.sheet else ""
                raise BadCell(f"The barcode “{barcode}” is in row {number}{other} already.")
        except BadCell as error:
            errors[BARCODE] = str(error)
            return None
        return barcode


def _pieces_error(cell: Cell | None) -> str:
    """Return why a row with this number of pieces is no log."""
    text = "" if cell is None else cell.text.strip()
    if not text:
        return ""
    if cell is not None and isinstance(cell.value, Decimal):
        pieces = cell.value.normalize()
    elif match := _PIECES.fullmatch(text):
        pieces = Decimal(match[1])
    else:
        return f"The number of pieces “{text[:60]}” cannot be read. Write it as a whole number."
    if pieces == 1:
        return ""
    return f"The row has {pieces:,f} pieces; a log is one. Give each its row."


def _has_more_fields(layout: Layout, row: Row) -> bool:
    beyond = row.cells[layout.table.header.last + 1 : layout.table.end]
    return any(cell is not None and cell.text.strip() for cell in beyond)


def _row_text(layout: Layout, row: Row, *, is_whole: bool) -> str:
    """Return the texts of a row's fields, separated by commas, as the text of a reject.

    Those of a row whose cells may be in other columns are all.
    """
    if is_whole:
        return format_row(cell.text for _, cell in layout.table.cells(row))
    cells = [layout.cell(row, name) for name in COLUMN_FIELDS if name in layout.columns]
    return format_row("" if cell is None else cell.text for cell in cells)
