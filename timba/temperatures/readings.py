"""Stores readings: one Parquet object per file, sorted within batches, and totals by city.

Readings come in as columns, in any order. Each batch is sorted by city, then time, and appended as
row groups; the statistics of a row group (its least and greatest city and time) tell a reader which
few of them can hold a city in a time range. Nothing is rounded: temperatures are integer hundredths
of a degree Celsius, times are integer microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from io import RawIOBase
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from timba.temperatures.caching import bounded_cache
from timba.temperatures.totals import (
    CityColumns,
    Int32Array,
    Int64Array,
    Totals,
    merge_totals,
    total_by_city,
)

# Readings in a batch and in a row group.
BATCH_SIZE = 1024 * 1024
ROW_GROUP_SIZE = 32_768
# While a file is written, at most so many totals by city are held in memory. A file with more
# cities is totalled from the finished object instead, MERGED_ROW_GROUPS row groups at a time.
MAX_PARTIALS = 1024 * 1024
MERGED_ROW_GROUPS = 32
# A footer takes about so many times its size on disk in memory: megabytes for a gigabyte of
# readings.
FOOTER_MEMORY_FACTOR = 12
MAX_FOOTER_BYTES = 64 * 1024 * 1024

SCHEMA = pa.schema(
    [
        pa.field("city_id", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("temperature", pa.decimal32(5, 2), nullable=False),
    ]
)


class ReadingsWriter:
    """Writes the readings of one file into a Parquet object and totals them by city.

    A context manager: leaving it writes the footer and leaves `sink` open. Afterwards `count` is
    the number of readings, and `totals` holds the totals by city, or None if there is no reading or
    there are too many cities to hold in memory: then `iter_city_totals` computes them.
    """

    def __init__(
        self,
        sink: IO[bytes] | RawIOBase,
        *,
        batch_size: int = BATCH_SIZE,
        row_group_size: int = ROW_GROUP_SIZE,
        max_partials: int = MAX_PARTIALS,
    ) -> None:
        self.count = 0
        self.totals: CityColumns | None = None
        self._batch_size, self._row_group_size = batch_size, row_group_size
        self._max_partials = max_partials
        self._pending: list[tuple[Int32Array, Int64Array, Int32Array]] = []
        self._pending_count = 0
        self._partials: list[CityColumns] = []
        self._holds_totals = True
        self._parquet = pq.ParquetWriter(
            sink,
            SCHEMA,
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
            column_encoding=dict.fromkeys(SCHEMA.names, "DELTA_BINARY_PACKED"),
            # Otherwise decimals are byte arrays, which are larger and cannot be delta encoded.
            store_decimal_as_integer=True,
        )

    def add(self, cities: Int32Array, times: Int64Array, hundredths: Int32Array) -> None:
        """Add readings as three columns of the same length, in any order.

        `times` are microseconds since 1970-01-01 UTC, `hundredths` are of a degree Celsius.
        """
        start = 0
        while start < len(cities):
            part = slice(start, start + self._batch_size - self._pending_count)
            self._pending.append((cities[part], times[part], hundredths[part]))
            self._pending_count += len(cities[part])
            start = part.stop
            if self._pending_count == self._batch_size:
                self._write_batch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._pending:
            self._write_batch()
        # Also after an error: an open writer warns when it is garbage collected.
        self._parquet.close()
        if error is None and self._partials:
            self.totals = merge_totals(self._partials)

    def _write_batch(self) -> None:
        cities, times, hundredths = (
            np.concatenate(column) for column in zip(*self._pending, strict=True)
        )
        self._pending, self._pending_count = [], 0
        order = np.lexsort((times, cities))
        cities, times, hundredths = cities[order], times[order], hundredths[order]
        self.count += len(cities)
        self._parquet.write_table(
            _table(cities, times, hundredths), row_group_size=self._row_group_size
        )
        if self._holds_totals:
            self._add_partial(total_by_city(cities, times, hundredths))

    def _add_partial(self, partial: CityColumns) -> None:
        self._partials.append(partial)
        if sum(map(len, self._partials)) <= self._max_partials:
            return
        self._partials = [merge_totals(self._partials)]
        # Merging again and again without much effect would cost more than reading back.
        if len(self._partials[0]) > self._max_partials // 2:
            self._partials = []
            self._holds_totals = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReadings:
    """A finished object. It never changes under its key, so facts about it can be cached."""

    key: str
    open: Callable[[], IO[bytes]] = field(compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footer:
    """The Parquet metadata of an object, and the limits of its row groups.

    The four arrays have one item for each row group; all limits are inclusive.
    """

    metadata: Any
    first_cities: Int64Array
    last_cities: Int64Array
    first_times: Int64Array
    last_times: Int64Array


def read_cities(
    stored: StoredReadings, cities: Collection[int], *, start: int, stop: int
) -> dict[int, Totals]:
    """Return the totals by city of readings in [start, stop), for those cities that have any.

    `start` and `stop` are microseconds since 1970-01-01 UTC. Raises OSError.
    """
    parts = list(
        _iter_matching_totals(stored, np.unique(np.array(cities, dtype=np.int64)), start, stop)
    )
    return dict(merge_totals(parts)) if parts else {}


def iter_city_totals(stored: StoredReadings) -> Iterator[CityColumns]:
    """Yield the totals of all cities in order, a bounded number of cities at a time."""
    footer = read_footer(stored)
    starts = np.unique(np.sort(footer.first_cities)[::MERGED_ROW_GROUPS])
    stops = np.append(starts[1:], footer.last_cities.max() + 1)
    with stored.open() as source:
        parquet = pq.ParquetFile(source, metadata=footer.metadata)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            groups = (footer.first_cities < stop) & (footer.last_cities >= start)
            yield _merge_row_groups(parquet, np.flatnonzero(groups).tolist(), start, stop)


def footer_memory(footer: Footer) -> int:
    """Return about how many bytes of memory a footer takes."""
    return FOOTER_MEMORY_FACTOR * int(footer.metadata.serialized_size)


@bounded_cache(max_bytes=MAX_FOOTER_BYTES, size_of=footer_memory)
def read_footer(stored: StoredReadings) -> Footer:
    """Return the footer of an object, cached by its key."""
    with stored.open() as source:
        metadata = pq.read_metadata(source)
    limits = [
        (cities.min_raw, cities.max_raw, times.min_raw, times.max_raw)
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for cities, times in [(group.column(0).statistics, group.column(1).statistics)]
    ]
    columns = np.array(limits, dtype=np.int64).reshape(-1, 4).T
    return Footer(
        metadata=metadata,
        first_cities=columns[0],
        last_cities=columns[1],
        first_times=columns[2],
        last_times=columns[3],
    )


def _iter_matching_totals(
    stored: StoredReadings, requested: Int64Array, start: int, stop: int
) -> Iterator[CityColumns]:
    """Yield the totals of each row group that has readings of these cities in [start, stop).

    `requested` holds city numbers, sorted and unique.
    """
    footer = read_footer(stored)
    before = np.searchsorted(requested, footer.first_cities)
    until = np.searchsorted(requested, footer.last_cities, side="right")
    groups = np.flatnonzero(
        (before < until) & (footer.last_times >= start) & (footer.first_times < stop)
    ).tolist()
    if not groups:
        return
    with stored.open() as source:
        parquet = pq.ParquetFile(source, metadata=footer.metadata)
        for group in groups:
            cities, times, hundredths = _read_columns(parquet, group)
            # A row group is sorted by city, so the requested cities lie close together in it.
            part = slice(*np.searchsorted(cities, [requested[0], requested[-1] + 1]))
            cities, times, hundredths = cities[part], times[part], hundredths[part]
            inside = np.isin(cities, requested) & (times >= start) & (times < stop)
            if inside.any():
                yield total_by_city(cities[inside], times[inside], hundredths[inside])


def _merge_row_groups(parquet: Any, groups: list[int], start: int, stop: int) -> CityColumns:
    """Return the totals in these row groups of the cities in [start, stop)."""
    partials: list[CityColumns] = []
    limit = MAX_PARTIALS
    for group in groups:
        cities, times, hundredths = _read_columns(parquet, group)
        part = slice(*np.searchsorted(cities, [start, stop]))
        if part.start < part.stop:
            partials.append(total_by_city(cities[part], times[part], hundredths[part]))
        if sum(map(len, partials)) > limit:
            partials = [merge_totals(partials)]
            limit = max(MAX_PARTIALS, 2 * len(partials[0]))
    return merge_totals(partials)


def _table(cities: Int32Array, times: Int64Array, hundredths: Int32Array) -> Any:
    """Return columns as an Arrow table with SCHEMA; a decimal32(5, 2) is its hundredths."""
    degrees = pa.array(hundredths, type=pa.int32()).view(SCHEMA.field("temperature").type)
    return pa.table([pa.array(cities), pa.array(times), degrees], schema=SCHEMA)


def _read_columns(parquet: Any, group: int) -> tuple[Int32Array, Int64Array, Int32Array]:
    cities, times, degrees = (
        column.combine_chunks()
        for column in parquet.read_row_group(group, use_threads=False).columns
    )
    return (
        cities.to_numpy(),
        times.view(pa.int64()).to_numpy(),
        degrees.view(pa.int32()).to_numpy(),
    )
