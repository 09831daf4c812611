"""Parses whole blocks of lines into columns of readings, and rejects.

`parsing.line_parser` is the definition of a good line. Most lines are parsed many at a time by
`vectorised`, which accepts only what the definition accepts, as the same reading; the definition
is applied to every other line.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines.blocks import Block
from timba.temperatures.lines.parsing import Reading, Reject, excerpt, line_parser
from timba.temperatures.vectorised.rows import Columns, parse_rows

# Bytes. glibc heeds nothing above 32 MB.
_KEPT_MEMORY = 31 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedBlock:
    """The readings of one block, and its rejects."""

    readings: Columns
    rejects: list[Reject]


def keep_freed_memory() -> None:
    """Have the C library keep the memory of a block's columns for those of the next block.

    Otherwise glibc gives it back to the system each time, which takes a quarter of the time of
    parsing. It stops that for pieces up to the size of the largest one that was ever freed.
    """
    np.empty(_KEPT_MEMORY, np.uint8)


def parse_block(block: Block, layout: Layout) -> ParsedBlock:
    """Parse every line of a block, but for the layout's `skipped_lines` at the start of the file.

    Blank lines are counted as lines, but are neither readings nor rejects.
    """
    data, start, number = block.data, 0, block.first_line
    while number <= layout.skipped_lines and start < len(data):
        start = (data.find(b"\n", start) + 1) or len(data)
        number += 1
    if start:
        block = Block(first_line=number, data=data[start:])
    rejects: list[Reject] = []
    if layout.is_vectorisable:
        readings = _parse_vectorised(block, layout, rejects)
    else:
        _, readings = _parse_lines(block.lines(), layout, rejects)
    return ParsedBlock(readings=readings, rejects=rejects)


def _parse_vectorised(block: Block, layout: Layout, rejects: list[Reject]) -> Columns:
    lines, readings, unsure = parse_rows(block.data, layout)
    if not unsure.any():
        return readings
    indices = np.flatnonzero(unsure & (lines.starts < lines.ends))
    numbers, others = _parse_lines(
        (
            (block.first_line + index, block.data[start:end])
            for index, start, end in zip(
                indices.tolist(),
                lines.starts[indices].tolist(),
                lines.ends[indices].tolist(),
                strict=True,
            )
        ),
        layout,
        rejects,
    )
    rows = np.asarray(numbers, np.intp) - block.first_line
    readings.put(rows, others)
    unsure[rows] = False
    return readings.take(np.flatnonzero(~unsure))


def _parse_lines(
    lines: Iterable[tuple[int, bytes]], layout: Layout, rejects: list[Reject]
) -> tuple[array[int], Columns]:
    """Parse lines one by one, and return the numbers and columns of those that are readings."""
    numbers, cities, hundredths, times = array("q"), array("i"), array("i"), array("q")
    parse_line = line_parser(layout)
    for number, line in lines:
        parsed = parse_line(line)
        if isinstance(parsed, Reading):
            numbers.append(number)
            cities.append(parsed.city)
            hundredths.append(parsed.hundredths)
            times.append(parsed.at)
        elif parsed is not None:
            rejects.append(Reject(number, parsed.reason, excerpt(line)))
    return numbers, Columns(
        np.asarray(cities, dtype=np.int32),
        np.asarray(hundredths, dtype=np.int32),
        np.asarray(times, dtype=np.int64),
    )
