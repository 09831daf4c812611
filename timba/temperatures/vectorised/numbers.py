"""Cities and temperatures of many lines at once.

Each function returns the values of fields, and which of them are bad; the value of a bad field
means nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from timba.temperatures.lines.parsing import MAX_CITY, MAX_CITY_DIGITS
from timba.temperatures.lines.temperature_fields import MAX_HUNDREDTHS, MIN_HUNDREDTHS
from timba.temperatures.vectorised.words import (
    BYTE,
    DIGITS,
    EIGHT,
    HIGH_BITS,
    LAST_BYTES,
    ONE,
    SIXTEEN,
    THIRTY_TWO,
    WIDTH,
    Flags,
    PaddedText,
    Pattern,
    Positions,
    Words,
    constant,
    flagged_rows,
    number_of_eight_digits,
    pairs_of_digits,
)

_TO_FIRST_DIGITS = constant(10**WIDTH)
_CITIES = constant(MAX_CITY)
_MINUS = np.array(ord("-"), np.uint8)


def parse_cities(
    text: PaddedText, starts: Positions, ends: Positions
) -> tuple[npt.NDArray[np.int32], Flags]:
    """Parse numbers of 1 to 10 digits between 1 and MAX_CITY."""
    lengths = ends - starts
    cities, bad = _last_digits(text, ends, lengths)
    if lengths.max(initial=0) > WIDTH:
        long = np.flatnonzero(lengths > WIDTH)
        first_lengths = lengths[long] - WIDTH
        first, bad_first = _last_digits(text, ends[long] - WIDTH, first_lengths)
        cities[long] += first * _TO_FIRST_DIGITS
        bad[long] |= bad_first | (first_lengths > MAX_CITY_DIGITS - WIDTH)
    # 0 becomes the largest number.
    cities -= ONE
    bad |= cities >= _CITIES
    cities += ONE
    return cities.astype(np.int32), bad


def _last_digits(text: PaddedText, ends: Positions, lengths: Positions) -> tuple[Words, Flags]:
    """Parse the last eight digits, or as many as there are, before `ends`."""
    digits = text.words_before(ends)
    digits ^= DIGITS.text
    digits &= LAST_BYTES.take(lengths, mode="clip")
    return number_of_eight_digits(digits), DIGITS.differ(digits)


class _Marked(NamedTuple):
    """What is needed for numbers with one decimal mark.

    Where a word ends with a number of two decimals, its byte 5 is the mark. Arrays are indexed by
    decimals; their last element is for numbers without a mark.
    """

    pattern: Pattern
    mark: Words
    marks: Words
    shifts: Words
    fills: Words


@cache
def _marked(mark: str) -> _Marked:
    def at_end(text: str) -> int:
        return int.from_bytes(text.encode().rjust(WIDTH, b"\0"), "little")

    shifts, fills = np.zeros(WIDTH + 1, np.uint64), np.zeros(WIDTH + 1, np.uint64)
    shifts[1], fills[1] = 8, at_end("0")
    shifts[WIDTH], fills[WIDTH] = 24, at_end(f"{mark}00")
    return _Marked(
        pattern=Pattern(f"00000{mark}00".encode()),
        mark=constant(ord(mark) << 40),
        marks=constant(int.from_bytes(mark.encode() * WIDTH, "little")),
        shifts=shifts,
        fills=fills,
    )


_DECIMALS: Final = 2
_MARK_BYTE = constant(0xFF << 40)
# The lengths of good numbers with two decimals, without a sign.
_MIN_LENGTH: Final = 1 + 1 + _DECIMALS
_LENGTHS = constant(len(str(MAX_HUNDREDTHS)) - _DECIMALS)
_WEIGHTS_SHIFT = constant(47)
_FIVE = constant(5)
_LOW_BITS = constant(0x0101010101010101)
_SMEAR = (EIGHT, SIXTEEN, THIRTY_TWO)
_BYTES_0_2_4 = constant(0x000000FF00FF00FF)
_WEIGHTS = constant((1000 << 47) + (10 << 31) + (1 << 15))


def parse_temperatures(
    text: PaddedText, starts: Positions, ends: Positions, mark: str
) -> tuple[npt.NDArray[np.int32], Flags]:
    """Parse numbers of at most three digits and six decimals as hundredths, rounded."""
    marked = _marked(mark)
    words = text.words_before(ends)
    negative = text.bytes[starts] == _MINUS
    lengths = ends - starts
    lengths -= negative
    rounded_up: npt.NDArray[np.int32] | None = None
    others = (words & _MARK_BYTE) != marked.mark
    if others.any():
        rows = flagged_rows(others)
        rounded_up = np.zeros(len(words), np.int32)
        words[rows], lengths[rows], rounded_up[rows] = _with_two_decimals(
            text, words[rows], ends[rows], lengths[rows], marked
        )
    words ^= marked.pattern.text
    words &= LAST_BYTES.take(lengths, mode="clip")
    bad = marked.pattern.differ(words)
    lengths -= _MIN_LENGTH
    bad |= lengths.view(np.uint64) >= _LENGTHS

    # Byte 2 has hundreds and tens, byte 4 ten times the units, byte 6 the decimals.
    pairs = pairs_of_digits(words)
    pairs >>= SIXTEEN
    pairs &= _BYTES_0_2_4
    pairs *= _WEIGHTS
    pairs >>= _WEIGHTS_SHIFT
    hundredths = pairs.astype(np.int32)
    if rounded_up is not None:
        hundredths += rounded_up
    # Two's complement.
    signs = negative.astype(np.int32)
    hundredths ^= -signs
    hundredths += signs
    bad |= hundredths < MIN_HUNDREDTHS
    bad |= hundredths > MAX_HUNDREDTHS
    return hundredths, bad


def _with_two_decimals(
    text: PaddedText, words: Words, ends: Positions, lengths: Positions, marked: _Marked
) -> tuple[Words, Positions, Flags]:
    """Return words and lengths as if all numbers had two decimals, and which to round up.

    The word of a number with a bad third or further decimal becomes a bad one.
    """
    decimals = _count_decimals(words, lengths, marked)
    aligned = words >> marked.shifts.take(decimals)
    aligned |= marked.fills.take(decimals)
    aligned_lengths = lengths + (_DECIMALS - decimals)
    aligned_lengths[decimals == WIDTH] += WIDTH + 1
    rounded_up = np.zeros(len(words), bool)
    long = (decimals > _DECIMALS) & (decimals < WIDTH)
    if long.any():
        rows = flagged_rows(long)
        further = decimals[rows] - _DECIMALS
        digits = words[rows] ^ DIGITS.text
        digits &= LAST_BYTES.take(further)
        two_decimals = text.words_before(ends[rows] - further)
        two_decimals[DIGITS.differ(digits)] = 0
        aligned[rows] = two_decimals
        third = digits >> (8 * (WIDTH - further)).astype(np.uint64)
        rounded_up[rows] = (third & BYTE) >= _FIVE
    return aligned, aligned_lengths, rounded_up


def _count_decimals(words: Words, lengths: Positions, marked: _Marked) -> Positions:
    """Return the number of characters after the last mark of each field; WIDTH where it has none.

    The words may begin with the end of another field, with a mark of its own.
    """
    bytes_xored = words ^ marked.marks
    # The high bit of each byte that is 0, and perhaps of a byte above one.
    flags = (bytes_xored - _LOW_BITS) & ~bytes_xored & HIGH_BITS
    for shift in _SMEAR:
        flags |= flags >> shift
    decimals: Positions = WIDTH - np.bitwise_count(flags).astype(np.intp)
    decimals[decimals > lengths - 2] = WIDTH
    return decimals
