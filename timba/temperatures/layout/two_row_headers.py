"""Reads headers of two rows, such as “Temp” above “Out” and “Hi” above “Temp”.

The lower row alone would call the highest temperature the temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from timba.temperatures.layout.answers import CITY
from timba.temperatures.layout.columns import temperature_columns
from timba.temperatures.layout.header_cells import parse_header
from timba.temperatures.layout.tables import MAX_LINE, Table
from timba.temperatures.layout.values import DATE, MOMENT, NUMBER, TIME
from timba.temperatures.lines.splitting import split_fields

_VALUES: Final = (NUMBER, DATE, TIME, MOMENT)


def join_header_rows(table: Table) -> Table:
    """Return a table with the names of both rows where the line above its header is part of it.

    That is certain if the line begins with an empty field and has a word above each column that
    may be the temperature. Else the line may be a title or a setting, `Station;Riga;;`, or its
    words may stand for several columns: then the header is its lower row, but where both rows
    together name other temperatures, these and those of the lower row are open.
    """
    above = _row_above(table)
    if not any(above):
        return table
    names = [" ".join(filter(None, pair)) for pair in zip(above, table.header, strict=True)]
    joined = replace(
        table, header=names, cells=[parse_header(name) for name in names], has_two_header_rows=True
    )
    columns = temperature_columns(joined)
    if not above[0] and all(above[column] for column in columns):
        return joined
    lower = temperature_columns(table)
    columns = [column for column in columns if not _names_city(table, column)]
    is_renamed = len(lower) > 1 and any(above[column] for column in lower)
    if columns == lower and not is_renamed:
        return table
    # The names of both rows tell people, and import profiles, what is asked.
    return replace(joined, cells=table.cells, open_temperatures=sorted({*lower, *columns}))


def _row_above(table: Table) -> Sequence[str]:
    """Return what the line above a header says of each column, or nothing if it is none of it."""
    if not table.preamble:
        return ()
    width = len(table.header)
    above = split_fields(table.preamble[-1][:MAX_LINE], table.delimiter)
    is_row = len(above) == width or not (above[0] or any(above[width:]))
    if not is_row or any(pattern.fullmatch(text) for text in above for pattern in _VALUES):
        return ()
    return [*above, *[""] * width][:width]


def _names_city(table: Table, column: int) -> bool:
    cell = table.cells[column]
    return cell is not None and cell.field == CITY
