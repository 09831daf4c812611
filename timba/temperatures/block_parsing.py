"""Parses whole blocks of lines into columns of readings, and rejects.

`parsing.parse_line` is the definition of a good line, and is applied to every line here; a faster
parser may replace it only where it returns the same readings and rejects.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timba.temperatures.layout.layouts import PLAIN, Layout
from timba.temperatures.lines import Block
from timba.temperatures.parsing import Reading, Reject, excerpt, is_header, parse_line


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
    cities, hundredths, times = array("i"), array("i"), array("q")
    rejects = []
    for number, line in block.lines():
        if number <= layout.skipped_lines:
            continue
        parsed = parse_line(line, layout)
        if isinstance(parsed, Reading):
            cities.append(parsed.city)
            hundredths.append(parsed.hundredths)
            times.append(parsed.at)
        elif parsed is not None and not (number == 1 and is_header(line)):
            rejects.append(Reject(number, parsed.reason, excerpt(line)))
    return ParsedBlock(
        cities=np.asarray(cities, dtype=np.int32),
        hundredths=np.asarray(hundredths, dtype=np.int32),
        times=np.asarray(times, dtype=np.int64),
        rejects=rejects,
    )
