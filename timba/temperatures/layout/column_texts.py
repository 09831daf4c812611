"""The different texts of a column that has to say the same in every row, such as a unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from timba.temperatures.layout.layouts import Layout
from timba.temperatures.layout.tables import Table, has_reading
from timba.temperatures.lines.splitting import split_fields

Lines = Callable[[Layout], Iterable[bytes]]

_ENOUGH: Final = 8


def column_texts(table: Table, column: int, layout: Layout, lines: Lines | None) -> list[str]:
    """Return the different texts of a column, in the head and in the readings of all lines.

    A zone changes with summer, and a second sensor may follow the first: long behind the head.
    """
    texts = dict.fromkeys(filter(None, (table.text(row, column) for row in table.rows)))
    if not texts or lines is None:
        return list(texts)
    for line in islice(lines(layout), layout.skipped_lines, None):
        fields = split_fields(line.decode(errors="replace"), table.delimiter)
        text = fields[column] if column < len(fields) else ""
        if text and text not in texts and has_reading(fields):
            texts[text] = None
            if len(texts) >= _ENOUGH:
                break
    return list(texts)
