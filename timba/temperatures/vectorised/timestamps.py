"""Timestamps of many lines at once: a date and time of day, seconds, a fraction, a zone."""

from __future__ import annotations

import calendar
from datetime import date
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from timba.temperatures.lines.timestamp_fields import (
    DAY,
    EPOCH_DAY,
    FIRST_YEAR,
    HOUR,
    LAST_YEAR,
    MINUTE,
    SECOND,
)
from timba.temperatures.vectorised.words import (
    BYTE,
    DIGITS,
    EIGHT,
    FIRST_BYTES,
    ONE,
    SIXTEEN,
    THIRTY_TWO,
    ZERO,
    Flags,
    PaddedText,
    Pattern,
    Positions,
    Words,
    constant,
    flagged_rows,
    number_of_eight_digits,
    pairs_of_digits,
    word,
)

Times = npt.NDArray[np.int64]

_DATE = Pattern(b"0000-00-")
_CLOCK = Pattern(b"00T00:00")
# Characters of both.
_TO_MINUTES: Final = 16
_SECONDS_AND_Z = Pattern(b":00Z")
_SECONDS_AND_Z_LENGTH: Final = 4
_SECONDS = Pattern(b":00.")
_MAX_FRACTION: Final = 9

_SEPARATOR, _BLANK = constant(0xFF << 16), constant(ord(" ") << 16)
_BLANK_TO_T = constant((ord(" ") ^ ord("T")) << 16)
_DASHES = constant((0xFF << 32) + (0xFF << 56))
_SLASHES = constant((ord("/") << 32) + (ord("/") << 56))
_SLASHES_TO_DASHES = constant((ord("/") ^ ord("-")) * ((1 << 32) + (1 << 56)))
_AFTER_DIGIT, _COLON = constant(0xFF << 32), constant(ord(":") << 32)
_ZERO_BEFORE_DIGIT = constant(ord("0") << 24)

# Bytes 0, 2 and 5 of a date have century, year and month: multiplied they make YYYYMM, exactly,
# in the highest 20 bits.
_CENTURY_YEAR_MONTH = constant(0x0000FF0000FF00FF)
_TO_YYYYMM = constant((10_000 << 44) + (100 << 28) + (1 << 4))
_YYYYMM_SHIFT = constant(44)
# A month begins at a multiple of 2 ** 13 microseconds; its number of days is stored below that.
_DAYS_IN_MONTH = np.array(31)
# Bytes 0, 3 and 6 of a clock have day, hour and minute. The day is counted from 0, so that day 0
# becomes 255. A byte at its limit gets its high bit; the days in the month are subtracted.
_DAY_HOUR_MINUTE = constant(0x00FF0000FF0000FF)
_LIMITS = constant(((128 - 60) << 48) + ((128 - 24) << 24) + 128)
_AT_LIMIT = constant(0x0080000080000080)
_TO_MINUTES_OF_MONTH = constant((1440 << 48) + (60 << 24) + 1)

_TWENTY_FOUR, _FORTY_EIGHT, _FIFTY_SIX = map(constant, (24, 48, 56))
_HOUR, _MINUTE, _SECOND = np.array(HOUR), np.array(MINUTE), np.array(SECOND)
_HOURS, _MINUTES = constant(24), constant(60)
_UTC, _SPACE = word(b" UTC"), word(b" ")
_Z, _PLUS, _TWO, _NINE = map(constant, (ord("Z"), ord("+"), 2, 9))
# The length, and the shift to the minutes; the sign is checked apart.
_ZONES = (
    (Pattern(b"+00:00"), len("+00:00"), THIRTY_TWO),
    (Pattern(b"+0000"), len("+0000"), _TWENTY_FOUR),
    (Pattern(b"+00"), len("+00"), _FORTY_EIGHT),
)


def parse_timestamps(text: PaddedText, starts: Positions, ends: Positions) -> tuple[Times, Flags]:
    """Parse ISO 8601 timestamps as microseconds since 1970-01-01 UTC."""
    words = text.four_words_at(starts)
    lengths = ends - starts
    dates, clocks, bad = _date_and_clock(words)
    if bad.any():
        rows = flagged_rows(bad)
        words[rows], lengths[rows] = _with_common_characters(words[rows], lengths[rows])
        dates[rows], clocks[rows], bad[rows] = _date_and_clock(words[rows])
    times = _minutes(dates, clocks, bad)
    lengths -= _TO_MINUTES
    seconds = words[:, 2] ^ _SECONDS_AND_Z.text
    seconds &= FIRST_BYTES[_SECONDS_AND_Z_LENGTH]
    others = _SECONDS_AND_Z.differ(seconds)
    others |= lengths != _SECONDS_AND_Z_LENGTH
    tails, bad_tails = _whole_seconds(seconds)
    if others.any():
        rows = flagged_rows(others)
        tails[rows], bad_tails[rows] = _parse_tails(
            words[rows], lengths[rows], text.words_before(ends[rows])
        )
    times += tails
    bad |= bad_tails
    return times, bad


def _date_and_clock(words: Words) -> tuple[Words, Words, Flags]:
    dates = words[:, 0] ^ _DATE.text
    clocks = words[:, 1] ^ _CLOCK.text
    return dates, clocks, _DATE.differ(dates) | _CLOCK.differ(clocks)


def _with_common_characters(words: Words, lengths: Positions) -> tuple[Words, Positions]:
    """Write `2025/01/31 8:30` as `2025-01-31T08:30`, and each of these differences alone.

    The arguments may be changed.
    """
    dates, clocks = words[:, 0], words[:, 1]
    clocks ^= ((clocks & _SEPARATOR) == _BLANK) * _BLANK_TO_T
    dates ^= ((dates & _DASHES) == _SLASHES) * _SLASHES_TO_DASHES
    short = ((clocks & _AFTER_DIGIT) == _COLON).nonzero()[0]
    if short.size:
        _, clock, tail, further = words[short].T
        words[short, 1] = (
            (clock & FIRST_BYTES[3]) | _ZERO_BEFORE_DIGIT | clock >> _TWENTY_FOUR << THIRTY_TWO
        )
        words[short, 2] = clock >> _FIFTY_SIX | tail << EIGHT
        words[short, 3] = tail >> _FIFTY_SIX | further << EIGHT
        lengths[short] += 1
    return words, lengths


def _minutes(dates: Words, clocks: Words, bad: Flags) -> Times:
    """Return dates, hours and minutes as times; those that do not exist become bad."""
    pairs = pairs_of_digits(dates)
    pairs &= _CENTURY_YEAR_MONTH
    pairs *= _TO_YYYYMM
    pairs >>= _YYYYMM_SHIFT
    times = _months().take(pairs.view(np.int64))
    days_in_month = times & _DAYS_IN_MONTH
    times -= days_in_month

    pairs = pairs_of_digits(clocks)
    pairs &= _DAY_HOUR_MINUTE
    pairs -= ONE
    limited = pairs + _LIMITS
    limited -= days_in_month.view(np.uint64)
    limited |= pairs
    limited &= _AT_LIMIT
    bad |= limited != ZERO
    pairs *= _TO_MINUTES_OF_MONTH
    pairs >>= _FORTY_EIGHT
    minutes = pairs.view(np.int64)
    minutes *= _MINUTE
    times += minutes
    return times


def _whole_seconds(digits: Words) -> tuple[Times, Flags]:
    """Return the seconds in bytes 1 and 2 as microseconds, and which of them are bad."""
    pairs = pairs_of_digits(digits)
    pairs >>= EIGHT
    pairs &= BYTE
    bad = pairs >= _MINUTES
    seconds = pairs.view(np.int64)
    seconds *= _SECOND
    return seconds, bad


def _parse_tails(words: Words, lengths: Positions, last: Words) -> tuple[Times, Flags]:
    """Parse `:SS.fraction` and a zone, of which any may be missing; `last` are their last words."""
    # Often all end with the same zone: it is parsed once.
    have_one_zone = not ((last ^ last[0]) >> EIGHT).any()
    offsets, zone_lengths = _parse_zones(last[:1] if have_one_zone else last)
    lengths = lengths - zone_lengths
    lengths = np.minimum(lengths.view(np.uint64), _OTHER_LENGTH).view(np.intp)
    digits = words[:, 2] ^ _SECONDS.text
    digits &= _SECONDS_BYTES.take(lengths)
    times, bad = _whole_seconds(digits)
    bad |= _SECONDS.differ(digits)
    bad |= ~_GOOD_LENGTHS.take(lengths)
    times -= offsets
    lengths -= len(":00.")
    if lengths.max(initial=0) > 0:
        microseconds, bad_fractions = _parse_fractions(words, lengths)
        times += microseconds
        bad |= bad_fractions
    return times, bad


def _parse_fractions(words: Words, lengths: Positions) -> tuple[Times, Flags]:
    """Parse up to nine digits from byte 20 on; lengths below 0 mean 0."""
    further = words[:, 3]
    digits = words[:, 2] >> THIRTY_TWO
    digits |= further << THIRTY_TWO
    digits ^= DIGITS.text
    digits &= FIRST_BYTES.take(lengths, mode="clip")
    bad = DIGITS.differ(digits)
    ninth = further >> THIRTY_TWO
    ninth ^= DIGITS.text
    ninth &= BYTE
    bad |= (ninth > _NINE) & (lengths == _MAX_FRACTION)
    # What is finer than a microsecond is cut off.
    digits <<= SIXTEEN
    return number_of_eight_digits(digits).view(np.int64), bad


def _parse_zones(last: Words) -> tuple[Times, Positions]:
    """Return offsets from UTC in microseconds, and the zones' lengths, 0 where there is none."""
    lengths = ((last >> _FIFTY_SIX) == _Z).astype(np.intp)
    lengths += len(" UTC") * ((last >> THIRTY_TWO) == _UTC)
    offsets = np.zeros(len(last), np.int64)
    for pattern, length, minutes_shift in _ZONES:
        if lengths.all():
            break
        zones = last >> constant(64 - 8 * length)
        # "+" is 43, "-" is 45.
        signs = (zones & BYTE) - _PLUS
        good = (signs & ~_TWO) == ZERO
        if not good.any():
            continue
        zones ^= pattern.text
        zones &= ~BYTE
        good &= ~pattern.differ(zones)
        pairs = pairs_of_digits(zones)
        hours, minutes = (pairs >> EIGHT) & BYTE, (pairs >> minutes_shift) & BYTE
        good &= (hours < _HOURS) & (minutes < _MINUTES)
        times = hours.view(np.int64) * _HOUR
        times += minutes.view(np.int64) * _MINUTE
        times *= ONE.view(np.int64) - signs.view(np.int64)
        times *= good
        offsets += times
        lengths += length * good
        lengths += good & (((last >> constant(56 - 8 * length)) & BYTE) == _SPACE)
    return offsets, lengths


# By the length of seconds and fraction together; the last one is any other length.
_GOOD_LENGTHS = np.zeros(4 + _MAX_FRACTION + 2, bool)
_GOOD_LENGTHS[[0, 3, *range(5, 5 + _MAX_FRACTION)]] = True
_OTHER_LENGTH = constant(len(_GOOD_LENGTHS) - 1)
_SECONDS_BYTES = FIRST_BYTES[np.minimum(np.arange(len(_GOOD_LENGTHS)), 4)]


@cache
def _months() -> Times:
    """Return start and number of days of every month, by YYYYMM; others are 0, without days."""
    months = np.zeros(1 << 20, np.int64)
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        for month in range(1, 13):
            start = (date(year, month, 1).toordinal() - EPOCH_DAY) * DAY
            months[year * 100 + month] = start + calendar.monthrange(year, month)[1]
    return months
