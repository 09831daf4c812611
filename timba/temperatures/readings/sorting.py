"""Sorts readings by city, then time: as one number each where city, time and temperature fit in it.

Sorting numbers is several times as fast as sorting by two columns. Two different readings must
never make the same number, so every part is counted from its least value, and gets as many bits as
its greatest value needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from timba.temperatures.readings.totals import Int32Array, Int64Array

_BITS: Final = 64
# Keys. With longer runs, numpy's merge sort is faster than its quicksort on some processors by far.
_MIN_RUN: Final = 128
# Microseconds. Most times are whole seconds or milliseconds, which need fewer bits.
_TIME_UNITS: Final = (1_000_000, 1_000)

_Column = npt.NDArray[Any]
_Keys = npt.NDArray[np.uint64]


def sort_readings(
    cities: Int32Array, times: Int64Array, hundredths: Int32Array
) -> tuple[Int32Array, Int64Array, Int32Array]:
    """Return the readings, at least one, sorted by city, then time."""
    city, time, degree = _Part.of(cities), _Part.of(times), _Part.of(hundredths)
    if city.bits + time.bits + degree.bits > _BITS:
        time = _in_larger_unit(time, times)
    if city.bits + time.bits + degree.bits > _BITS:
        order = np.lexsort((times, cities))
        return cities[order], times[order], hundredths[order]
    keys = city.pack(cities)
    for part, column in ((time, times), (degree, hundredths)):
        keys <<= np.uint64(part.bits)
        keys |= part.pack(column)
    _sort_in_place(keys)
    sorted_degrees = degree.unpack(keys).astype(np.int32)
    keys >>= np.uint64(degree.bits)
    sorted_times = time.unpack(keys)
    keys >>= np.uint64(time.bits)
    return city.unpack(keys).astype(np.int32), sorted_times, sorted_degrees


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """How a column becomes numbers from 0, of at most `bits` bits: in units, less the least one."""

    least: int
    bits: int
    unit: int = 1

    @classmethod
    def of(cls, column: _Column) -> Self:
        least, greatest = int(column.min()), int(column.max())
        return cls(least=least, bits=(greatest - least).bit_length())

    def pack(self, column: _Column) -> _Keys:
        values = np.subtract(column, self.least, dtype=np.int64).view(np.uint64)
        if self.unit != 1:
            values //= np.uint64(self.unit)
        return values

    def unpack(self, keys: _Keys) -> Int64Array:
        """Return the column from the lowest bits of keys."""
        values = (keys & np.uint64((1 << self.bits) - 1)).view(np.int64)
        if self.unit != 1:
            values *= self.unit
        values += self.least
        return values


def _in_larger_unit(part: _Part, times: Int64Array) -> _Part:
    """Return the part in the largest unit that divides what is added to the least time."""
    values = part.pack(times)
    for unit in _TIME_UNITS:
        whole = values // np.uint64(unit)
        if np.array_equal(whole * np.uint64(unit), values):
            return _Part(least=part.least, bits=int(whole.max()).bit_length(), unit=unit)
    return part


def _sort_in_place(keys: _Keys) -> None:
    """Sort keys, by merging where they are made of long sorted runs, as most files are."""
    runs = np.count_nonzero(keys[1:] < keys[:-1]) + 1
    keys.sort(kind="stable" if runs * _MIN_RUN <= len(keys) else "quicksort")
