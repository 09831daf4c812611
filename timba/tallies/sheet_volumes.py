"""Compares the volumes that a sheet gives with those of its logs as Timba computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from timba.consignments.measures import volume
from timba.tallies.cells.grids import Row
from timba.tallies.layout.groups import header_of_column
from timba.tallies.layout.layouts import Layout
from timba.tallies.layout.measure_cells import read_quantity
from timba.tallies.parsing import SheetLog
from timba.tallies.words.vocabulary import VOLUME

# Rows that a warning names; all are counted.
MAX_NAMED: Final = 20
# How far a volume may differ: by rounding, and by a share of ours.
_TOLERANCE: Final = Decimal("0.001")
_SHARE: Final = Decimal("0.01")
_LITRE: Final = Decimal("0.001")


@dataclass(kw_only=True, slots=True)
class TableVolumes:
    """The volumes of a table: those of its rows that are logs or rejects, and its totals."""

    sheet: str
    given: list[Decimal] = field(default_factory=list)
    missing: int = 0
    rejected: int = 0
    totals: list[Decimal] = field(default_factory=list)
    computed: Decimal = Decimal(0)


def reads_volumes(layout: Layout) -> bool:
    """Return whether the sheet's volumes are in m³, or in a unit that it does not name."""
    if VOLUME not in layout.columns:
        return False
    cell = header_of_column(layout.table, layout.columns[VOLUME]).cell
    return cell is None or cell.unknown_unit is None


def read_volume(layout: Layout, row: Row) -> Decimal | None:
    """Return the volume that a row gives, to the litre or finer; None for none."""
    cell = layout.cell(row, VOLUME)
    quantity = read_quantity(cell, layout.styles.get(VOLUME))
    if quantity is None or quantity.unit is not None or quantity.value <= 0:
        return None
    value = quantity.value
    return value if isinstance(value, Decimal) else Decimal(str(float(value)))


def differs(given: Decimal, ours: Decimal) -> bool:
    """Return whether a volume differs by more than rounding explains."""
    return abs(given - ours) > _TOLERANCE + _SHARE * ours


def sum_up(tables: Sequence[TableVolumes]) -> str | None:
    """Return the volume that the sheets give for all logs, or else their totals, as text."""
    if not tables:
        return None
    if any(table.given for table in tables):
        total = sum((value for table in tables for value in table.given), Decimal(0))
    elif all(table.totals for table in tables):
        total = sum((_whole(table) for table in tables), Decimal(0))
    else:
        return None
    return str(total.quantize(_LITRE))


def _whole(table: TableVolumes) -> Decimal:
    """Return the total of a table: its last one, or the sum of those of pages.

    It is the one that is nearer to the sum of the logs.
    """
    logs = table.computed if table.missing else sum(table.given, Decimal(0))
    candidates = (table.totals[-1], sum(table.totals, Decimal(0)))
    return min(candidates, key=lambda total: abs(total - logs))


def compare_rows(logs: Sequence[SheetLog], sheets: Sequence[str]) -> list[dict[str, Any]]:
    """Return the warning about rows whose volume differs, if there are any."""
    rows = [
        log
        for log in logs
        if log.sheet_volume is not None and differs(log.sheet_volume, volume(**log.measures))
    ]
    if not rows:
        return []
    is_one = len(set(sheets)) == 1
    named = ", ".join(
        (f"{log.row}" if is_one else f"{log.row} of “{sheets[log.table]}”")
        + f" ({log.sheet_volume:f} m³, computed {volume(**log.measures):f} m³)"
        for log in rows[:MAX_NAMED]
    )
    more = f" and {len(rows) - MAX_NAMED:,} more" if len(rows) > MAX_NAMED else ""
    word = "row" if len(rows) == 1 else "rows"
    sentence = f"The sheet gives other volumes than the measures do in {word} {named}{more}."
    return [{"code": "volume_differs", "sentence": sentence, "count": len(rows)}]


def compare_totals(tables: Sequence[TableVolumes]) -> list[dict[str, Any]]:
    """Return the warning about totals that are not the sum of the logs, if there are any."""
    sentences = []
    for table in tables:
        if not table.totals:
            continue
        if table.given and not table.missing:
            logs = sum(table.given, Decimal(0))
        elif not table.rejected:
            logs = table.computed
        else:
            continue
        whole = _whole(table)
        if differs(whole, logs):
            place = f" of “{table.sheet}”" if table.sheet and len(tables) > 1 else ""
            sentences.append(f"The total{place} is {whole:f} m³, the sum of its logs {logs:f} m³.")
    if not sentences:
        return []
    return [{"code": "total_differs", "sentence": " ".join(sentences), "count": len(sentences)}]
