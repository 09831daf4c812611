"""Reads stored readings: the totals of cities from an object that `writing.py` wrote.

The footer of an object tells which of its row groups can hold a city in a time range. It is cached,
and only these row groups are read, one at a time. A row group of one city that lies completely in
the time range counts by its totals, which the footer holds too. Where cities begin in a row group
of several is cached as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.readings.city_starts import read_city_starts, read_first
from timba.temperatures.readings.columns import to_hundredths, to_times, varying_columns
from timba.temperatures.readings.totals import (
    CityColumns,
    Int32Array,
    Int64Array,
    Totals,
    merge_totals,
    total_by_city,
)
from timba.temperatures.readings.writing import SUMS_KEY, unpack_sums

# The totals of all cities are computed from so many row groups at a time, with about so many
# partial totals held in memory.
MERGED_ROW_GROUPS = 32
MERGED_PARTIALS = 1024 * 1024
# A footer takes about so many times its size on disk in memory: megabytes for a gigabyte of
# readings.
FOOTER_MEMORY_FACTOR = 12
MAX_FOOTER_BYTES = 64 * 1024 * 1024

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReadings:
    """A finished object. It never changes under its key, so facts about it can be cached."""

    key: str
    open: Callable[[], IO[bytes]] = field(compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footer:
    """The Parquet metadata of an object, and the limits and totals of its row groups.

    Each array has one item for each row group; all limits are inclusive. Objects of earlier
    versions have no `sums`.
    """

    metadata: Any
    first_cities: Int64Array
    last_cities: Int64Array
    first_times: Int64Array
    last_times: Int64Array
    lowest: Int64Array
    highest: Int64Array
    counts: Int64Array
    sums: Int64Array | None

    def select(self, cities: Int64Array, *, start: int, stop: int) -> BoolArray:
        """Return which row groups may have readings of the sorted cities in [start, stop)."""
        selected: BoolArray = np.searchsorted(cities, self.first_cities) < np.searchsorted(
            cities, self.last_cities, side="right"
        )
        selected &= (self.last_times >= start) & (self.first_times < stop)
        return selected

    def select_whole(self, selected: BoolArray, *, start: int, stop: int) -> BoolArray:
        """Return which of these have only readings of one city, and in [start, stop)."""
        if self.sums is None:
            return np.zeros(len(self.counts), dtype=np.bool_)
        whole: BoolArray = selected & (self.first_cities == self.last_cities)
        whole &= (self.first_times >= start) & (self.last_times < stop)
        return whole

    def totals(self, groups: BoolArray, numbers: Int64Array) -> CityColumns:
        """Return the totals of some row groups, under numbers that are given for all of them."""
        assert self.sums is not None  # noqa: S101 - without them, no row group is selected
        return CityColumns(
            cities=numbers[groups].astype(np.int32),
            counts=self.counts[groups],
            sums=self.sums[groups],
            lowest=self.lowest[groups].astype(np.int32),
            highest=self.highest[groups].astype(np.int32),
            firsts=self.first_times[groups],
            lasts=self.last_times[groups],
        )


def read_cities(
    stored: StoredReadings, cities: Collection[int], *, start: int, stop: int
) -> dict[int, Totals]:
    """Return the totals by city of readings in [start, stop), for those cities that have any.

    `start` and `stop` are microseconds since 1970-01-01 UTC. Raises OSError.
    """
    requested = np.unique(np.array(cities, dtype=np.int64))
    footer = read_footer(stored)
    selected = footer.select(requested, start=start, stop=stop)
    whole = footer.select_whole(selected, start=start, stop=stop)
    parts = [
        total_by_city(*columns)
        for columns in _iter_selected(stored, requested, selected & ~whole, start=start, stop=stop)
    ]
    if whole.any():
        parts.append(footer.totals(whole, footer.first_cities))
    elif len(parts) == 1:
        return dict(parts[0])
    return dict(merge_totals(parts)) if parts else {}


def iter_bucket_totals(
    stored: StoredReadings, city_id: int, *, start: int, stop: int, width: int
) -> Iterator[CityColumns]:
    """Yield the totals of a city's readings in [start, stop) by bucket, row group by row group.

    The number of a bucket, in the place of a city's, counts `width` microseconds since 1970-01-01
    UTC. A bucket may occur in several row groups. Raises OSError.
    """
    cities = np.array([city_id], dtype=np.int64)
    footer = read_footer(stored)
    buckets = footer.first_times // width
    selected = footer.select(cities, start=start, stop=stop)
    whole = footer.select_whole(selected, start=start, stop=stop)
    whole &= buckets == footer.last_times // width
    if whole.any():
        yield footer.totals(whole, buckets)
    parts = _iter_selected(stored, cities, selected & ~whole, start=start, stop=stop)
    for _, times, hundredths in parts:
        yield total_by_city((times // width).astype(np.int32), times, hundredths)


def iter_readings(
    stored: StoredReadings, cities: Int64Array, *, start: int, stop: int
) -> Iterator[tuple[Int32Array, Int64Array, Int32Array]]:
    """Yield the readings of some cities in [start, stop), a row group at a time.

    `cities` is sorted and unique. Each item holds the cities, times and hundredths of a degree of
    at least one reading, sorted by city, then time. Raises OSError.
    """
    selected = read_footer(stored).select(cities, start=start, stop=stop)
    yield from _iter_selected(stored, cities, selected, start=start, stop=stop)


def iter_row_groups(
    stored: StoredReadings,
) -> Iterator[tuple[Int32Array, Int64Array, Int32Array]]:
    """Yield all readings, a row group at a time, each as `iter_readings` does. Raises OSError."""
    with open_parquet(stored) as parquet:
        for group in range(parquet.num_row_groups):
            yield _read_columns(parquet, group)


def _iter_selected(
    stored: StoredReadings, cities: Int64Array, selected: BoolArray, *, start: int, stop: int
) -> Iterator[tuple[Int32Array, Int64Array, Int32Array]]:
    """Yield the readings of some cities in [start, stop) from the selected row groups."""
    groups = np.flatnonzero(selected).tolist()
    if not groups:
        return
    if len(cities) == 1:
        yield from _iter_city(stored, int(cities[0]), groups, start=start, stop=stop)
        return
    first, last = np.int32(cities[0]), np.int32(cities[-1])
    with open_parquet(stored) as parquet:
        for group in groups:
            of_cities, times, hundredths = _read_columns(parquet, group)
            # A row group is sorted by city, so the requested cities lie close together in it.
            part = slice(of_cities.searchsorted(first), of_cities.searchsorted(last, side="right"))
            of_cities, times, hundredths = of_cities[part], times[part], hundredths[part]
            inside = np.isin(of_cities, cities) & (times >= start) & (times < stop)
            of_cities = of_cities[inside]
            if len(of_cities):
                yield of_cities, times[inside], hundredths[inside]


def _iter_city(
    stored: StoredReadings, city_id: int, groups: list[int], *, start: int, stop: int
) -> Iterator[tuple[Int32Array, Int64Array, Int32Array]]:
    """Yield the readings of one city in [start, stop) from these row groups.

    Only times and temperatures up to its last reading are decoded, and cities once in a process.
    """
    footer = read_footer(stored)
    with open_parquet(stored) as parquet:
        for group in groups:
            if footer.first_cities[group] == footer.last_cities[group]:
                rows = slice(0, int(footer.counts[group]))
            else:
                rows = read_city_starts(parquet, stored.key, group).rows(city_id)
            if rows.start == rows.stop:
                continue
            columns = varying_columns(parquet)[1:]
            times, temperatures = read_first(parquet, group, columns, rows.stop)
            of_city = to_times(times)[rows]
            inside = slice(*of_city.searchsorted([start, stop]))
            of_city = of_city[inside]
            if len(of_city):
                hundredths = to_hundredths(temperatures)[rows][inside]
                yield np.full(len(of_city), city_id, dtype=np.int32), of_city, hundredths


def iter_city_totals(stored: StoredReadings) -> Iterator[CityColumns]:
    """Yield the totals of all cities in order, a bounded number of cities at a time."""
    footer = read_footer(stored)
    starts = np.unique(np.sort(footer.first_cities)[::MERGED_ROW_GROUPS])
    stops = np.append(starts[1:], footer.last_cities.max() + 1)
    with open_parquet(stored) as parquet:
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            groups = (footer.first_cities < stop) & (footer.last_cities >= start)
            yield _merge_row_groups(parquet, np.flatnonzero(groups).tolist(), start, stop)


@contextmanager
def open_parquet(stored: StoredReadings) -> Iterator[Any]:
    """Open an object as a ParquetFile, with its cached footer."""
    with stored.open() as source:
        # Otherwise another thread reads ahead. Handing over to it takes longer than reading.
        yield pq.ParquetFile(source, metadata=read_footer(stored).metadata, pre_buffer=False)


def footer_memory(footer: Footer) -> int:
    """Return about how many bytes of memory a footer takes."""
    return FOOTER_MEMORY_FACTOR * int(footer.metadata.serialized_size)


@bounded_cache(max_bytes=MAX_FOOTER_BYTES, size_of=footer_memory)
def read_footer(stored: StoredReadings) -> Footer:
    """Return the footer of an object, cached by its key."""
    with stored.open() as source:
        metadata = pq.read_metadata(source)
    limits = [
        (
            *(cities.min_raw, cities.max_raw, times.min_raw, times.max_raw),
            *(degrees.min_raw, degrees.max_raw, group.num_rows),
        )
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for cities, times, degrees in [[group.column(n).statistics for n in range(3)]]
    ]
    columns = np.array(limits, dtype=np.int64).reshape(-1, 7).T
    sums = (metadata.metadata or {}).get(SUMS_KEY)
    return Footer(
        metadata=metadata,
        first_cities=columns[0],
        last_cities=columns[1],
        first_times=columns[2],
        last_times=columns[3],
        lowest=columns[4],
        highest=columns[5],
        counts=columns[6],
        sums=None if sums is None else unpack_sums(sums),
    )


def _merge_row_groups(parquet: Any, groups: list[int], start: int, stop: int) -> CityColumns:
    """Return the totals in these row groups of the cities in [start, stop)."""
    partials: list[CityColumns] = []
    limit = MERGED_PARTIALS
    for group in groups:
        cities, times, hundredths = _read_columns(parquet, group)
        part = slice(*np.searchsorted(cities, [start, stop]))
        if part.start < part.stop:
            partials.append(total_by_city(cities[part], times[part], hundredths[part]))
        if sum(map(len, partials)) > limit:
            partials = [merge_totals(partials)]
            limit = max(MERGED_PARTIALS, 2 * len(partials[0]))
    return merge_totals(partials)


def _read_columns(parquet: Any, group: int) -> tuple[Int32Array, Int64Array, Int32Array]:
    table = parquet.read_row_group(group, columns=varying_columns(parquet), use_threads=False)
    cities, times, temperatures = (column.combine_chunks() for column in table.columns)
    return cities.to_numpy(), to_times(times), to_hundredths(temperatures)
