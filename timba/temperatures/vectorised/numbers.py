"""Cities and temperatures of many lines at once.

Each function returns the values of fields, and which of them are bad; the value of a bad field
means nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from timba.temperatures.parsing import MAX_CITY, MAX_HUNDREDTHS, MIN_HUNDREDTHS
from timba.temperatures.vectorised.words import (
    DIGITS,
    LAST_BYTES,
    WIDTH,
    Flags,
    PaddedText,
    Pattern,
    Positions,
    Words,
    number_of_eight_digits,
    pairs_of_digits,
)

MAX_CITY_DIGITS: Final = 10
MAX_WHOLE_DIGITS: Final = 3

_ONE = np.uint64(1)
_MINUS = ord("-")

# Where a word ends with a number of two decimals, its decimal mark is byte 5.
_DECIMALS = 2
_MARK_SHIFT = np.uint64(8 * 5)
# How many places a number with 1, 3, 4, 5 or 6 decimals has its mark beside that.
_OTHER_DECIMALS = (1, 3, 4, 5, 6)
_BYTE = np.uint64(0xFF)


def parse_cities(
    text: PaddedText, starts: Positions, ends: Positions
) -> tuple[npt.NDArray[np.int32], Flags]:
    """Parse numbers of 1 to 10 digits between 1 and MAX_CITY."""
    lengths = ends - starts
    cities, bad = _whole_numbers(text, ends, lengths)
    long = np.flatnonzero(lengths > WIDTH)
    if long.size:
        more = lengths[long] - WIDTH
        first, bad_first = _whole_numbers(text, ends[long] - WIDTH, more)
        cities[long] += first * np.uint64(10**WIDTH)
        bad[long] |= bad_first | (more > MAX_CITY_DIGITS - WIDTH)
    # 0 becomes the largest number.
    cities -= _ONE
    bad |= cities >= np.uint64(MAX_CITY)
    cities += _ONE
    return cities.astype(np.int32), bad


def _whole_numbers(text: PaddedText, ends: Positions, lengths: Positions) -> tuple[Words, Flags]:
    """Parse the last eight digits, or as many as there are, before `ends`."""
    digits = text.words_before(ends)
    digits ^= DIGITS.text
    digits &= LAST_BYTES.take(lengths, mode="clip")
    return number_of_eight_digits(digits), DIGITS.differ(digits)


def parse_temperatures(
    text: PaddedText, starts: Positions, ends: Positions, mark: str
) -> tuple[npt.NDArray[np.int32], Flags]:
    """Parse numbers of at most three digits and six decimals as hundredths, rounded."""
    pattern = Pattern(f"00000{mark}00".encode())
    words = text.words_before(ends)
    lengths = ends - starts
    negative = text.bytes[starts] == _MINUS
    lengths -= negative
    rounded_up: npt.NDArray[np.int32] | None = None
    others = np.flatnonzero((words ^ pattern.text) & (_BYTE << _MARK_SHIFT))
    if others.size:
        rounded_up = np.zeros(len(words), np.int32)
        words[others], lengths[others], rounded_up[others] = _with_two_decimals(
            text, words[others], ends[others], lengths[others], pattern
        )
    words ^= pattern.text
    words &= LAST_BYTES.take(lengths, mode="clip")
    bad = pattern.differ(words)
    lengths -= 1 + 1 + _DECIMALS
    bad |= lengths.view(np.uint64) >= np.uint64(MAX_WHOLE_DIGITS)

    # Byte 2 has hundreds and tens, byte 4 ten times the units, byte 6 the decimals.
    pairs = pairs_of_digits(words)
    pairs >>= np.uint64(16)
    pairs &= np.uint64(0x000000FF00FF00FF)
    pairs *= np.uint64((1000 << 47) + (10 << 31) + (1 << 15))
    pairs >>= np.uint64(47)
    hundredths = pairs.astype(np.int32)
    if rounded_up is not None:
        hundredths += rounded_up
    hundredths *= np.where(negative, np.int32(-1), np.int32(1))
    bad |= hundredths < MIN_HUNDREDTHS
    bad |= hundredths > MAX_HUNDREDTHS
    return hundredths, bad


def _with_two_decimals(
    text: PaddedText, words: Words, ends: Positions, lengths: Positions, pattern: Pattern
) -> tuple[Words, Positions, Flags]:
    """Return words and lengths as if all numbers had two decimals, and which to round up.

    The word of a number with a bad third or further decimal becomes a bad one.
    """
    mark = (pattern.text >> _MARK_SHIFT) & _BYTE
    rounded_up = np.zeros(len(words), bool)
    # Without a mark, ".00" is added.
    aligned = words >> np.uint64(24)
    aligned |= pattern.text & LAST_BYTES[3]
    aligned_lengths = lengths + 3
    for decimals in _OTHER_DECIMALS:
        shift = np.uint64(8 * (WIDTH - 1 - decimals))
        # A mark further to the left is part of another field.
        these = np.flatnonzero((((words >> shift) & _BYTE) == mark) & (lengths > 1 + decimals))
        if not these.size:
            continue
        aligned_lengths[these] = lengths[these] + (_DECIMALS - decimals)
        if decimals < _DECIMALS:
            aligned[these] = (words[these] >> np.uint64(8)) | (pattern.text & LAST_BYTES[1])
            continue
        further = decimals - _DECIMALS
        two_decimals = text.words_before(ends[these] - further)
        digits = (words[these] ^ DIGITS.text) & LAST_BYTES[further]
        two_decimals[DIGITS.differ(digits)] = ~np.uint64(0)
        aligned[these] = two_decimals
        third = digits >> np.uint64(8 * (WIDTH - further))
        rounded_up[these] = (third & _BYTE) >= np.uint64(5)
    return aligned, aligned_lengths, rounded_up
