"""Parses the lines of a text that have three good fields, and tells which other lines there are."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from timba.temperatures.layout.layouts import PLAIN_FIELDS, Layout
from timba.temperatures.vectorised.numbers import parse_cities, parse_temperatures
from timba.temperatures.vectorised.timestamps import parse_timestamps
from timba.temperatures.vectorised.words import Flags, PaddedText, Positions

_LF, _CR = np.frombuffer(b"\n\r", np.uint8)
_FIELDS = len(PLAIN_FIELDS)
_IS_BLANK = np.isin(np.arange(256), list(b" \t"))
_MAX_BLANKS: Final = 8


class Columns(NamedTuple):
    """Readings as columns of equal length."""

    cities: npt.NDArray[np.int32]
    hundredths: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]

    def select(self, flags: Flags) -> Columns:
        """Return the flagged readings."""
        return Columns(self.cities[flags], self.hundredths[flags], self.times[flags])

    def insert(self, positions: Positions, others: Columns) -> Columns:
        """Return these readings with others before those at the positions."""
        return Columns(
            np.insert(self.cities, positions, others.cities),
            np.insert(self.hundredths, positions, others.hundredths),
            np.insert(self.times, positions, others.times),
        )


class Lines(NamedTuple):
    """Lines of a text by their indices, and where they are without their line ends."""

    indices: Positions
    starts: Positions
    ends: Positions

    def select(self, indices: Positions) -> Lines:
        """Return some of the lines, if these are all lines of the text."""
        return Lines(indices, self.starts[indices], self.ends[indices])


_NO_LINES: Final = np.zeros(0, np.intp)


class ParsedRows(NamedTuple):
    """The readings that are certain, the indices of their lines, and all other lines.

    Blank lines are counted, but are neither.
    """

    readings: Columns
    lines: Positions
    others: Lines


class _Fields(NamedTuple):
    """Where the fields are of those lines that have three; `lines` are the lines' indices."""

    lines: Positions
    starts: tuple[Positions, ...]
    ends: tuple[Positions, ...]


def parse_rows(data: bytes, layout: Layout) -> ParsedRows:
    """Parse lines, of which the last one may lack its line feed."""
    text = PaddedText(data)
    all_lines, fields = _split(text, layout.delimiter, has_cr=b"\r" in data)
    readings, bad = _parse_fields(text, fields, layout)
    if bad.any():
        _parse_trimmed(text, fields, layout, readings, bad)
    lines = fields.lines
    if bad.any():
        good = ~bad
        lines = lines[good]
        readings = readings.select(good)
    if len(lines) == len(all_lines.indices):
        return ParsedRows(readings, lines, all_lines.select(_NO_LINES))
    is_other = all_lines.ends > all_lines.starts
    is_other[lines] = False
    return ParsedRows(readings, lines, all_lines.select(np.flatnonzero(is_other)))


def _split(text: PaddedText, delimiter: str, *, has_cr: bool) -> tuple[Lines, _Fields]:
    is_lf = text.bytes == _LF
    separators = np.flatnonzero(is_lf | (text.bytes == ord(delimiter)))
    is_lf = is_lf[separators]
    line_count = np.count_nonzero(is_lf)
    if len(separators) == _FIELDS * line_count and is_lf[_FIELDS - 1 :: _FIELDS].all():
        first, second, ends = (separators[number::_FIELDS] for number in range(_FIELDS))
        all_lines = _lines(text, ends, has_cr=has_cr)
        with_three = all_lines
    else:
        lfs = np.flatnonzero(is_lf)
        all_lines = _lines(text, separators[lfs], has_cr=has_cr)
        indices = np.flatnonzero(np.diff(lfs, prepend=-1) == _FIELDS)
        first, second = separators[lfs[indices] - 2], separators[lfs[indices] - 1]
        with_three = all_lines.select(indices)
    return all_lines, _Fields(
        with_three.indices,
        (with_three.starts, first + 1, second + 1),
        (first, second, with_three.ends),
    )


def _lines(text: PaddedText, lfs: Positions, *, has_cr: bool) -> Lines:
    """Return the lines that end with these line feeds, or each with a CR before it."""
    starts = np.zeros_like(lfs)
    np.add(lfs[:-1], 1, out=starts[1:])
    ends = lfs
    if has_cr:
        ends = lfs - (text.bytes[lfs - 1] == _CR)
        if not text.is_ended:
            ends[-1] = lfs[-1]
    return Lines(np.arange(len(lfs)), starts, ends)


def _parse_trimmed(
    text: PaddedText, fields: _Fields, layout: Layout, readings: Columns, bad: Flags
) -> None:
    """Parse those bad lines once more that have blanks around fields, without these."""
    has_blank = np.zeros_like(bad)
    for starts, ends in zip(fields.starts, fields.ends, strict=True):
        has_blank |= _IS_BLANK[text.bytes[starts]]
        has_blank |= _IS_BLANK[text.bytes_before[ends]]
    rows = (bad & has_blank).nonzero()[0]
    if not rows.size:
        return
    trimmed = _Fields(
        rows,
        tuple(_skip_blanks(text.bytes, starts[rows], 1) for starts in fields.starts),
        tuple(_skip_blanks(text.bytes_before, ends[rows], -1) for ends in fields.ends),
    )
    parsed, bad[rows] = _parse_fields(text, trimmed, layout)
    readings.cities[rows] = parsed.cities
    readings.hundredths[rows] = parsed.hundredths
    readings.times[rows] = parsed.times


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
