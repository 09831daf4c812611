"""Reads headers of two rows, such as “Temp” above “Out” and “Hi” above “Temp”.

The lower row alone would call the highest temperature the temperature. So would the upper one
alone where “Temperature” is a merged cell above “Min” and “Max”.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from timba.temperatures.layout.answers import CITY
from timba.temperatures.layout.columns import is_positional_table, temperature_columns
from timba.temperatures.layout.header_cells import parse_header
from timba.temperatures.layout.header_words import UNIT
from timba.temperatures.layout.tables import MAX_LINE, Table
from timba.temperatures.layout.temperature_units import read_unit
from timba.temperatures.layout.values import DATE, MOMENT, NUMBER, TIME
from timba.temperatures.lines.splitting import split_fields

_VALUES: Final = (NUMBER, DATE, TIME, MOMENT)


def join_header_rows(table: Table) -> Table:
    """Return a table with the names of both rows where its header has two."""
    return _join_row_below(table) or _join_row_above(table)


def _join_row_below(table: Table) -> Table | None:
    """Return a table whose header goes on in the line below it, or None where it does not.

    It does if a word there tells which of the temperatures a column is: then they are open. A cell
    merged with those to the right of it is empty but for the first.
    """
    below = _row_below(table)
    if not below or is_positional_table(table):
        return None
    upper: list[int] = []
    for column, name in enumerate(table.header):
        upper.append(column if name or not upper else upper[-1])
    merged = [n if _names_unit(below[n]) else left for n, left in enumerate(upper)]
    named = temperature_columns(table)
    columns = [n for n, text in enumerate(below) if merged[n] in named and (text or n in named)]
    if not any(_is_word(below[column]) for column in columns):
        return None
    names = [
        f"{table.header[merged[n]]} {text}".strip() if text else table.header[n]
        for n, text in enumerate(below)
    ]
    return replace(
        table,
        header_row=table.rows[0].number,
        header=names,
        cells=[parse_header(name) for name in names],
        rows=table.rows[1:],
        has_two_header_rows=True,
        open_temperatures=columns,
    )


def _row_below(table: Table) -> Sequence[str]:
    """Return what the line below a header says of each column, or nothing if it is none of it."""
    if not table.rows or table.rows[0].number != table.header_row + 1:
        return ()
    below = table.rows[0].fields
    is_row = len(below) == len(table.header) and not below[0]
    return below if is_row and not _has_values(below) else ()


def _names_unit(text: str) -> bool:
    cell = parse_header(text)
    return cell is not None and cell.field == UNIT


def _is_word(text: str) -> bool:
    return any(map(str.isalpha, text)) and read_unit(text) is None


def _join_row_above(table: Table) -> Table:
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
    if not is_row or _has_values(above):
        return ()
    return [*above, *[""] * width][:width]


def _has_values(fields: Sequence[str]) -> bool:
    return any(pattern.fullmatch(text) for text in fields for pattern in _VALUES)


def _names_city(table: Table, column: int) -> bool:
    cell = table.cells[column]
    return cell is not None and cell.field == CITY
