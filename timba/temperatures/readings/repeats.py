"""Counts the readings of one file that repeat a reading of the same city and time in it.

Within a batch they stand side by side, and the writer counts them. Those in two batches are counted
here, from the finished object: its readings are compared in windows from one (city, time) to
another. In each begin as many row groups as there are batches, at least WINDOW_ROW_GROUPS, and one
more of every batch reaches into it: memory use grows with the number of batches, by the readings of
two row groups a batch at most, of which equal ones within a batch count as one. Only windows with a
city whose times overlap between batches are read, which costs nothing for a file in order of time
or of cities. For one in random order it takes about a tenth of the time that writing it took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from timba.places.city_numbers import CITY_NUMBERS
from timba.temperatures.readings.columns import VARYING, to_times
from timba.temperatures.readings.sorting import sort_readings
from timba.temperatures.readings.stored_readings import StoredReadings, open_parquet
from timba.temperatures.readings.totals import Int32Array, Int64Array
from timba.temperatures.readings.writing import RowGroup

# The least number of row groups that begin in a window.
WINDOW_ROW_GROUPS: Final = 32
_Key = tuple[int, int]
_Readings = tuple[Int32Array, Int64Array]
_LAST_KEY: Final = (CITY_NUMBERS.stop, 0)


def iter_repeated(
    stored: StoredReadings, row_groups: Sequence[RowGroup], cities: Int32Array | None
) -> Iterator[int]:
    """Yield, for one window after another, how many readings repeat one of another batch.

    `row_groups` are those of the object, in its order. `cities` are the only ones, sorted, that may
    have such readings; None stands for any city.
    """
    starts = sorted(group.first for group in row_groups)
    # A window has one more row group of each batch at most, which begins before it.
    size = max(WINDOW_ROW_GROUPS, row_groups[-1].batch)
    limits = [*dict.fromkeys(starts[::size]), _LAST_KEY]
    with open_parquet(stored) as parquet:
        for start, stop in pairwise(limits):
            if cities is None or _has_any(cities, start[0], stop[0]):
                numbers = [
                    number
                    for number, group in enumerate(row_groups)
                    if group.first < stop and group.last >= start
                ]
                yield _count_window(parquet, row_groups, numbers, start, stop)


def _has_any(cities: Int32Array, first: int, last: int) -> bool:
    return bool(np.searchsorted(cities, first) < np.searchsorted(cities, last, side="right"))


def _count_window(
    parquet: Any, row_groups: Sequence[RowGroup], numbers: list[int], start: _Key, stop: _Key
) -> int:
    parts: list[_Readings] = []
    batch, previous = -1, None
    for number in numbers:
        cities, times = _read_keys(parquet, number)
        inside = slice(_position(cities, times, start), _position(cities, times, stop))
        cities, times = cities[inside], times[inside]
        if not len(cities):
            continue
        new = np.concatenate([[True], (cities[1:] != cities[:-1]) | (times[1:] != times[:-1])])
        if row_groups[number].batch == batch and (cities[0], times[0]) == previous:
            new[0] = False
        batch, previous = row_groups[number].batch, (cities[-1], times[-1])
        parts.append((cities[new], times[new]))
    if not any(len(cities) for cities, _ in parts):
        return 0
    cities, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    cities, times, _ = sort_readings(cities, times, np.zeros(len(cities), dtype=np.int32))
    return int(np.count_nonzero((times[1:] == times[:-1]) & (cities[1:] == cities[:-1])))


def _read_keys(parquet: Any, number: int) -> _Readings:
    """Return the cities and the times of a row group."""
    group = parquet.read_row_group(number, columns=VARYING[:2], use_threads=False)
    cities, times = (column.combine_chunks() for column in group.columns)
    return cities.to_numpy(), to_times(times)


def _position(cities: Int32Array, times: Int64Array, key: _Key) -> int:
    """Return how many readings of a row group stand before `key`."""
    city, time = key
    first, after = np.searchsorted(cities, [city, city + 1])
    return int(first + np.searchsorted(times[first:after], time))
