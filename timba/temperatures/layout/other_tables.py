"""Tells where another table begins in a file, whose temperatures are something else."""

from __future__ import annotations

import re
from typing import Final

from timba.temperatures.layout.header_cells import parse_header
from timba.temperatures.layout.header_words import OTHER, WHEN
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines.splitting import split_fields

_DIGIT: Final = re.compile(r"\d")


def begins_other_table(line: str, layout: Layout) -> bool:
    """Return whether a bad line is a header that names another measure than the temperature."""
    if _DIGIT.search(line):
        return False
    cells = [parse_header(field) for field in split_fields(line, layout.delimiter)]
    if len(cells) <= layout.columns.temperature:
        return False
    measure = cells[layout.columns.temperature]
    has_time = any(cell is not None and cell.field in WHEN for cell in cells)
    return has_time and measure is not None and measure.field == OTHER
