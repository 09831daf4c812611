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
import numpy.typing as npt

from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines import Block
from timba.temperatures.parsing import Reading, Reject, excerpt, is_header, line_parser
from timba.temperatures.vectorised.rows import Columns, ParsedRows, parse_rows

# Bytes of lines that are parsed at once: few enough that all columns stay in the processor's
# cache, and that no file makes them large.
CHUNK = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedBlock:
    """The readings of one block as three columns of equal length, and its rejects.

    `hundredths` are hundredths of a degree Celsius, `times` are microseconds since 1970-01-01 UTC.
    """

    cities: npt.NDArray[np.int32]
    hundredths: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    rejects: list[Reject]


def parse_block(block: Block, layout: Layout = PLAIN) -> ParsedBlock:
    """Parse every line of a block, but for the layout's `skipped_lines` at the start of the file.

    Blank lines, and a header on line 1, are counted as lines but are neither readings nor rejects.
    """
    data, start, number = block.data, 0, block.first_line
    while number <= layout.skipped_lines and start < len(data):
        start = (data.find(b"\n", start) + 1) or len(data)
        number += 1
    parts: list[Columns] = []
    rejects: list[Reject] = []
    if layout.is_vectorisable:
        while end := _chunk_end(data, start):
            rows = parse_rows(data, start, end, layout)
            parts.append(_with_other_lines(rows, data, number, layout, rejects))
            start, number = end, number + rows.line_count
    if start < len(data):
        rest = Block(first_line=number, data=data[start:])
        parts.append(_parse_lines(rest.lines(), layout, rejects)[1])
    cities, hundredths, times = (
        np.concatenate(column) for column in zip(_NO_READINGS, *parts, strict=True)
    )
    return ParsedBlock(cities=cities, hundredths=hundredths, times=times, rejects=rejects)


def _chunk_end(data: bytes, start: int) -> int:
    """Return the end of a chunk of whole lines, or 0 where no line feed follows."""
    last = data.rfind(b"\n", start, start + CHUNK)
    return (last if last >= 0 else data.find(b"\n", start)) + 1


def _with_other_lines(
    rows: ParsedRows, data: bytes, first_line: int, layout: Layout, rejects: list[Reject]
) -> Columns:
    """Return the readings of all lines of a chunk, in the order of the lines."""
    numbers, others = _parse_lines(
        (
            (first_line + index, data[start:end])
            for index, start, end in zip(*(column.tolist() for column in rows.others), strict=True)
        ),
        layout,
        rejects,
    )
    if not numbers:
        return rows.readings
    positions = np.searchsorted(rows.lines, np.asarray(numbers) - first_line)
    return rows.readings.insert(positions, others)


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
        elif parsed is not None and not (number == 1 and is_header(line)):
            rejects.append(Reject(number, parsed.reason, excerpt(line)))
    return numbers, Columns(
        np.asarray(cities, dtype=np.int32),
        np.asarray(hundredths, dtype=np.int32),
        np.asarray(times, dtype=np.int64),
    )


_NO_READINGS = Columns(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64))
