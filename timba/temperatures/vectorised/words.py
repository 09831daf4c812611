"""Text as words of eight bytes, each checked and computed with as one integer.

The first character of a word is its lowest byte. A digit is taken as its value by `^ b"0"`; the sum
and the product of such bytes stay below 256, so that they do not carry into their neighbours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

WIDTH: Final = 8
# A field may be looked at this far before its start and after its end.
PADDING: Final = 32


def constant(value: int) -> Words:
    """Return an integer to compute with: numpy takes arrays in half the time of other numbers."""
    array = np.array(value, np.uint64)
    array.flags.writeable = False
    return array


def word(text: bytes) -> Words:
    """Return a text of up to eight bytes as a word."""
    return constant(int.from_bytes(text, "little"))


BYTE: Final = constant(0xFF)
HIGH_BITS: Final = constant(0x8080808080808080)
ZERO, ONE, EIGHT, SIXTEEN, THIRTY_TWO = map(constant, (0, 1, 8, 16, 32))
_TEN = constant(10)


class PaddedText:
    """Lines, of which the last one is ended, with padding around them.

    `is_ended` tells whether it was ended before.
    """

    def __init__(self, data: bytes) -> None:
        self.is_ended = data.endswith(b"\n")
        size = len(data) if self.is_ended else len(data) + 1
        buffer = np.empty(PADDING + size + PADDING, np.uint8)
        buffer[:PADDING] = buffer[-PADDING - 1 :] = ord("\n")
        buffer[PADDING : PADDING + len(data)] = np.frombuffer(data, np.uint8)
        self.bytes = buffer[PADDING : PADDING + size]
        self.bytes_before = buffer[PADDING - 1 : PADDING - 1 + size]
        # Elements overlap: each one begins a byte after the one before it.
        self._words_before = np.ndarray((size,), "<u8", buffer, PADDING - WIDTH, (1,))
        self._long_words = np.ndarray((size,), "V32", buffer, PADDING, (1,))

    def words_before(self, ends: Positions) -> Words:
        """Return the eight bytes before each position."""
        return self._words_before[ends]

    def four_words_at(self, starts: Positions) -> Words:
        """Return the 32 bytes from each position on, as columns of four words.

        This takes no longer than reading one word: the time is spent per position.
        """
        return self._long_words[starts].view("<u8").reshape(-1, 4)


class Pattern:
    """A text of up to eight characters in which "0" stands for any digit."""

    def __init__(self, text: bytes) -> None:
        self.text = word(text)
        # What makes the high bit of a byte one if it is above 9 where a digit is expected, and if
        # it is not 0 elsewhere. Bytes above 127 carry into the next, but have a high bit anyway.
        self._limits = word(
            bytes(0x76 if byte in b"0\0" else 0x7F for byte in text.ljust(WIDTH, b"\0"))
        )

    def differ(self, values: Words) -> Flags:
        """Return where `values`, which are words ^ self.text, are not as this pattern says."""
        found = values + self._limits
        found |= values
        found &= HIGH_BITS
        flags: Flags = found != ZERO
        return flags


def flagged_rows(flags: Flags) -> Positions | slice:
    """Return the flagged rows; a slice of all rows needs no copies of them."""
    return slice(None) if flags.all() else flags.nonzero()[0]


def pairs_of_digits(values: Words) -> Words:
    """Return words whose byte i is the number of two digits that begins at byte i."""
    pairs = values * _TEN
    pairs += values >> EIGHT
    return pairs


DIGITS: Final = Pattern(b"00000000")


def number_of_eight_digits(values: Words) -> Words:
    """Return the number that eight digits make."""
    pairs = pairs_of_digits(values)
    low = pairs & _PAIRS_1_3
    low *= _WEIGHTS_1_3
    pairs >>= SIXTEEN
    pairs &= _PAIRS_1_3
    pairs *= _WEIGHTS_2_4
    low += pairs
    low >>= THIRTY_TWO
    return low


_PAIRS_1_3 = constant(0x000000FF000000FF)
_WEIGHTS_1_3 = constant((1_000_000 << 32) + 100)
_WEIGHTS_2_4 = constant((10_000 << 32) + 1)

# For each number of characters from 0 to 8, a mask of as many bytes.
FIRST_BYTES: Final = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
LAST_BYTES: Final = np.array([((1 << 8 * n) - 1) << 8 * (8 - n) for n in range(9)], np.uint64)
