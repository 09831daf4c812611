"""How a table is read: which column is which field, in which units, with which decimal mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from timba.tallies.cells.grids import Cell, Row
from timba.tallies.layout.tables import Table
from timba.tallies.words.numbers import NumberStyle


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The layout of one table; columns are indexes of the sheet's columns.

    A measure without a style is written in numbers that every style reads alike. Timba's own CSV
    has escaped barcodes, and in an own export a complete row is a log whatever its barcode says.
    `evidence` has a sentence for each decision, by its field such as
    `units.length`.
    """

    table: Table
    columns: Mapping[str, int]
    units: Mapping[str, str] = field(default_factory=dict)
    styles: Mapping[str, NumberStyle | None] = field(default_factory=dict)
    makes_barcodes: bool = False
    has_escaped_barcodes: bool = False
    is_own_export: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)

    def cell(self, row: Row, name: str) -> Cell | None:
        """Return the cell of a field, or None for an empty one or a field without a column."""
        index = self.columns.get(name)
        return None if index is None else self.table.cell(row, index)
