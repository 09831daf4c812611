"""Parses the lines of a text that have three good fields, and tells which other lines there are."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from timba.temperatures.layout.layouts import PLAIN_FIELDS, Layout
from timba.temperatures.lines.splitting import BLANKS
from timba.temperatures.vectorised.numbers import parse_cities, parse_temperatures
from timba.temperatures.vectorised.timestamps import parse_timestamps
from timba.temperatures.vectorised.words import Flags, PaddedText, Positions

_LF, _CR = np.frombuffer(b"\n\r", np.uint8)
_FIELDS = len(PLAIN_FIELDS)
_IS_BLANK = np.isin(np.arange(256), list(BLANKS.encode()))
_MAX_BLANKS: Final = 8
_NO_LINES: Final = np.zeros(0, np.intp)


class Columns(NamedTuple):
    """Readings as columns of equal length.

    `hundredths` are hundredths of a degree Celsius, `times` are microseconds since 1970-01-01 UTC.
    """

    cities: npt.NDArray[np.int32]
    hundredths: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]

    def take(self, rows: Positions) -> Columns:
        """Return the readings of these rows."""
        return Columns(self.cities[rows], self.hundredths[rows], self.times[rows])

    def put(self, rows: Positions, others: Columns) -> None:
        """Replace the readings of these rows by others."""
        self.cities[rows], self.hundredths[rows], self.times[rows] = others


class Lines(NamedTuple):
    """Where the lines of a text are, without their line ends."""

    starts: Positions
    ends: Positions


class ParsedRows(NamedTuple):
    """All lines of a text, blank ones too, and a reading of each; those of unsure ones are none."""

    lines: Lines
    readings: Columns
    unsure: Flags


class _Fields(NamedTuple):
    """Where the three fields of each line are."""

    starts: tuple[Positions, ...]
    ends: tuple[Positions, ...]


def parse_rows(data: bytes, layout: Layout) -> ParsedRows:
    """Parse lines, of which the last one may lack its line feed."""
    text = PaddedText(data)
    lines, fields, others = _split(text, layout.delimiter, has_cr=b"\r" in data)
    readings, bad = _parse_fields(text, fields, layout)
    if bad.any():
        _parse_trimmed(text, fields, layout, readings, bad)
    # An empty field before three good ones may have been taken for blanks.
    bad[others] = True
    return ParsedRows(lines, readings, bad)


def _split(text: PaddedText, delimiter: str, *, has_cr: bool) -> tuple[Lines, _Fields, Positions]:
    """Return all lines, their fields, and which lines do not have three."""
    is_lf = text.bytes == _LF
    separators = np.flatnonzero(is_lf | (text.bytes == ord(delimiter)))
    is_lf = is_lf[separators]
    line_count = np.count_nonzero(is_lf)
    if len(separators) == _FIELDS * line_count and is_lf[_FIELDS - 1 :: _FIELDS].all():
        first, second, lfs = (separators[number::_FIELDS] for number in range(_FIELDS))
        others = _NO_LINES
    else:
        last = np.flatnonzero(is_lf)
        others = np.flatnonzero(np.diff(last, prepend=-1) != _FIELDS)
        first, second, lfs = (
            separators.take(last - number, mode="clip") for number in reversed(range(_FIELDS))
        )
    lines = _lines(text, lfs, has_cr=has_cr)
    starts = lines.starts, first + 1, second + 1
    for column in starts[1:]:
        # A line without delimiters may be the last one of the text.
        column[others] = np.minimum(column[others], lines.ends[others])
    return lines, _Fields(starts, (first, second, lines.ends)), others


def _lines(text: PaddedText, lfs: Positions, *, has_cr: bool) -> Lines:
    """Return the lines that end with these line feeds, or each with a CR before it."""
    starts = np.zeros_like(lfs)
    np.add(lfs[:-1], 1, out=starts[1:])
    ends = lfs
    if has_cr:
        ends = lfs - (text.bytes[lfs - 1] == _CR)
        if not text.is_ended:
            ends[-1] = lfs[-1]
    return Lines(starts, ends)


def _parse_trimmed(
    text: PaddedText, fields: _Fields, layout: Layout, readings: Columns, bad: Flags
) -> None:
    """Parse those bad lines once more that have blanks around fields, without these."""
    rows = np.flatnonzero(bad)
    has_blank = np.zeros(len(rows), bool)
    for starts, ends in zip(*fields, strict=True):
        has_blank |= _IS_BLANK[text.bytes[starts[rows]]]
        has_blank |= _IS_BLANK[text.bytes_before[ends[rows]]]
    rows = rows[has_blank]
    if not rows.size:
        return
    trimmed = _Fields(
        tuple(_skip_blanks(text.bytes, starts[rows], 1) for starts in fields.starts),
        tuple(_skip_blanks(text.bytes_before, ends[rows], -1) for ends in fields.ends),
    )
    parsed, bad[rows] = _parse_fields(text, trimmed, layout)
    readings.put(rows, parsed)


def _skip_blanks(characters: npt.NDArray[np.uint8], positions: Positions, step: int) -> Positions:
    """Move positions over a few blanks.

    A field of blanks alone, or an empty one between tabs, comes to end before its start: it is bad.
    """
    for _ in range(_MAX_BLANKS):
        blanks = _IS_BLANK[characters[positions]]
        if not blanks.any():
            break
        positions = positions + step * blanks
    return positions


def _parse_fields(text: PaddedText, fields: _Fields, layout: Layout) -> tuple[Columns, Flags]:
    columns = layout.columns
    city, temperature, timestamp = (
        (fields.starts[column], fields.ends[column])
        for column in (columns.city or 0, columns.temperature, columns.timestamp)
    )
    cities, bad = parse_cities(text, *city)
    hundredths, bad_temperatures = parse_temperatures(text, *temperature, layout.decimal)
    times, bad_timestamps = parse_timestamps(text, *timestamp)
    bad |= bad_temperatures
    bad |= bad_timestamps
    return Columns(cities, hundredths, times), bad
