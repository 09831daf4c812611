"""Timestamps of many lines at once: a date and time of day, seconds, a fraction, a zone."""

from __future__ import annotations

import calendar
from datetime import date
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from timba.temperatures.parsing import DAY, EPOCH_DAY, FIRST_YEAR, HOUR, LAST_YEAR, MINUTE, SECOND
from timba.temperatures.vectorised.words import (
    BYTE,
    DIGITS,
    FIRST_BYTES,
    Flags,
    PaddedText,
    Pattern,
    Positions,
    Words,
    constant,
    number_of_eight_digits,
    pairs_of_digits,
    word,
)

Times = npt.NDArray[np.int64]

_DATE = Pattern(b"0000-00-")
_CLOCK = Pattern(b"00T00:00")
# Characters of both.
_TO_MINUTES: Final = 16
_SECONDS = Pattern(b":00.")
_SECONDS_AND_Z = Pattern(b":00Z")
MAX_FRACTION: Final = 9

_SEPARATOR = constant(0xFF << 16)
_BLANK_TO_T = word(b"\0\0 ") ^ word(b"\0\0T")

# Bytes 0, 2 and 5 of a date have century, year and month: multiplied they make YYYYMM, exactly,
# in the highest 20 bits.
_CENTURY_YEAR_MONTH = constant(0x0000FF0000FF00FF)
_TO_YYYYMM = constant((10_000 << 44) + (100 << 28) + (1 << 4))
_YYYYMM_SHIFT = constant(44)
# Bytes 0, 3 and 6 of a clock have day, hour and minute. The day is counted from 0, so that day 0
# becomes 255. A byte at its limit gets its high bit; the days in the month are subtracted.
_DAY_HOUR_MINUTE = constant(0x00FF0000FF0000FF)
_LIMITS = constant(((128 - 60) << 48) + ((128 - 24) << 24) + 128)
_AT_LIMIT = constant(0x0080000080000080)
_TO_MINUTES_OF_MONTH = constant((1440 << 48) + (60 << 24) + 1)
_MINUTES_SHIFT = constant(48)

_NONE, _ONE, _EIGHT, _SIXTEEN, _THIRTY_TWO = map(constant, (0, 1, 8, 16, 32))
_MINUTE, _SECOND = np.array(MINUTE), constant(SECOND)
_MAX_SECOND = constant(59)
_LAST_BYTE, _Z = constant(56), constant(ord("Z"))


def parse_timestamps(text: PaddedText, starts: Positions, ends: Positions) -> tuple[Times, Flags]:
    """Parse ISO 8601 timestamps as microseconds since 1970-01-01 UTC."""
    columns = text.four_words_at(starts)
    times, bad = _minutes(columns[:, 0], columns[:, 1])
    lengths = ends - starts
    lengths -= _TO_MINUTES
    tails = columns[:, 2]
    if (lengths == len(":00Z")).all():
        seconds = tails ^ _SECONDS_AND_Z.text
        seconds &= FIRST_BYTES[4]
        differ = _SECONDS_AND_Z.differ(seconds)
        if not differ.any():
            bad |= _add_seconds(times, seconds)
            return times, bad
    offsets, zone_lengths = _offsets(text, ends)
    if offsets is not None:
        times -= offsets
    lengths -= zone_lengths
    bad |= _add_seconds_and_fraction(times, tails, columns[:, 3], lengths)
    return times, bad


def _minutes(dates: Words, clocks: Words) -> tuple[Times, Flags]:
    """Parse the words `YYYY-MM-` and `DDTHH:MM`, whose T may be a blank."""
    dates = dates ^ _DATE.text
    clocks = clocks ^ _CLOCK.text
    bad = _CLOCK.differ(clocks)
    if bad.any():
        blank = (clocks & _SEPARATOR) == _BLANK_TO_T
        clocks ^= blank * _BLANK_TO_T
        bad = _CLOCK.differ(clocks)
    bad |= _DATE.differ(dates)

    pairs = pairs_of_digits(dates)
    pairs &= _CENTURY_YEAR_MONTH
    pairs *= _TO_YYYYMM
    pairs >>= _YYYYMM_SHIFT
    months = _months().take(pairs.view(np.int64))
    days_in_month = months & _DAYS_IN_MONTH
    months -= days_in_month

    pairs = pairs_of_digits(clocks)
    pairs &= _DAY_HOUR_MINUTE
    pairs -= _ONE
    limited = pairs + _LIMITS
    limited -= days_in_month.view(np.uint64)
    limited |= pairs
    limited &= _AT_LIMIT
    bad |= limited != _NONE
    pairs *= _TO_MINUTES_OF_MONTH
    pairs >>= _MINUTES_SHIFT
    minutes = pairs.view(np.int64)
    minutes *= _MINUTE
    months += minutes
    return months, bad


def _add_seconds(times: Times, seconds: Words) -> Flags:
    """Add the seconds in byte 1 and 2, and return which are above 59."""
    pairs = pairs_of_digits(seconds)
    pairs >>= _EIGHT
    pairs &= BYTE
    bad = pairs > _MAX_SECOND
    pairs *= _SECOND
    times += pairs.view(np.int64)
    return bad


def _add_seconds_and_fraction(
    times: Times, tails: Words, further: Words, lengths: Positions
) -> Flags:
    """Add `:SS` and `.fraction`, of which any may be missing, and return which are bad.

    `lengths` are those of both; `further` are the eight bytes behind those of `tails`.
    """
    lengths = np.minimum(lengths.view(np.uint64), np.uint64(len(_GOOD_LENGTHS) - 1)).view(np.int64)
    bad = ~_GOOD_LENGTHS.take(lengths)
    seconds = tails ^ _SECONDS.text
    seconds &= _SECONDS_BYTES.take(lengths)
    bad |= _SECONDS.differ(seconds)
    bad |= _add_seconds(times, seconds)
    fractions = lengths - len(":00.")
    if (fractions <= 0).all():
        return bad
    digits = tails >> _THIRTY_TWO
    digits |= further << _THIRTY_TWO
    digits ^= DIGITS.text
    digits &= FIRST_BYTES.take(fractions, mode="clip")
    bad |= DIGITS.differ(digits)
    # Digits after the sixth are cut.
    digits <<= _SIXTEEN
    times += number_of_eight_digits(digits).view(np.int64)
    ninth = further >> _THIRTY_TWO
    ninth ^= DIGITS.text
    ninth &= BYTE
    bad |= (fractions == MAX_FRACTION) & (ninth > np.uint64(9))
    return bad


def _offsets(text: PaddedText, ends: Positions) -> tuple[Times | None, Positions | np.intp]:
    """Return offsets from UTC in microseconds, if there are any, and the zones' lengths.

    What is no zone has length 0.
    """
    last = text.words_before(ends)
    is_utc = (last >> _LAST_BYTE) == _Z
    if is_utc.all():
        return None, np.intp(1)
    lengths = is_utc.astype(np.intp)
    offsets = np.zeros(len(ends), np.int64)
    rest = np.flatnonzero(~is_utc)
    for pattern, length, minutes_shift in _ZONES:
        zones = last[rest] >> np.uint64(64 - 8 * length)
        # "+" is 43, "-" is 45.
        signs = (zones & BYTE) - np.uint64(ord("+"))
        digits = (zones ^ pattern.text) & ~BYTE
        pairs = pairs_of_digits(digits)
        hours = (pairs >> _EIGHT) & BYTE
        minutes = (pairs >> minutes_shift) & BYTE
        good = ~pattern.differ(digits) & ((signs & ~np.uint64(2)) == 0)
        good &= (hours < np.uint64(24)) & (minutes < np.uint64(60))
        these = rest[good]
        lengths[these] = length
        magnitudes = (hours * np.uint64(HOUR) + minutes * np.uint64(MINUTE)).view(np.int64)
        offsets[these] = np.where(signs == 0, magnitudes, -magnitudes)[good]
        rest = rest[~good]
        if not rest.size:
            break
    return offsets, lengths


_ZONES = (
    (Pattern(b"\x0000:00"), len("+00:00"), _THIRTY_TWO),
    (Pattern(b"\x000000"), len("+0000"), np.uint64(24)),
    (Pattern(b"\x0000"), len("+00"), np.uint64(48)),
)

# By the length of seconds and fraction together; the last one is any other length.
_GOOD_LENGTHS = np.zeros(4 + MAX_FRACTION + 2, bool)
_GOOD_LENGTHS[[0, 3, *range(5, 5 + MAX_FRACTION)]] = True
_SECONDS_BYTES = FIRST_BYTES[np.minimum(np.arange(len(_GOOD_LENGTHS)), 4)]

# A month begins at a multiple of 2 ** 13 microseconds; its number of days is stored below that.
_DAYS_IN_MONTH = np.array(31)


@cache
def _months() -> Times:
    """Return start and number of days of every month, by YYYYMM; others are 0, without days."""
    months = np.zeros(1 << 20, np.int64)
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        for month in range(1, 13):
            start = (date(year, month, 1).toordinal() - EPOCH_DAY) * DAY
            months[year * 100 + month] = start + calendar.monthrange(year, month)[1]
    return months
