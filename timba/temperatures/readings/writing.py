"""Writes readings: one Parquet object per file, sorted within batches, and totals by city.

Readings come in as columns, in any order. Each batch is sorted by city, then time, and appended as
row groups; the statistics of a row group (its least and greatest city and time) tell a reader which
few of them can hold a city in a time range. Nothing is rounded: temperatures are integer hundredths
of a degree Celsius, times are integer microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import uuid
from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import dataclass
from io import RawIOBase
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
import pyarrow.parquet as pq

from timba.temperatures.readings.columns import CONSTANT, VARYING, WRITTEN_SCHEMA, make_table
from timba.temperatures.readings.sorting import sort_readings
from timba.temperatures.readings.totals import (
    CityColumns,
    Int32Array,
    Int64Array,
    merge_totals,
    overlapping_cities,
    total_by_city,
)

# Readings in a batch and in a row group.
BATCH_SIZE = 1024 * 1024
ROW_GROUP_SIZE = 32_768
# While a file is written, at most so many totals by city are held in memory. A file with more
# cities is totalled from the finished object instead: see `stored_readings.iter_city_totals`.
MAX_PARTIALS = 256 * 1024

# The key of the sums of hundredths of a degree in each row group, in the metadata of an object. The
# other totals of a row group are statistics of Parquet.
SUMS_KEY: Final = b"timba.row_group_sums"

# Hundredths of a degree that sensors, or what reads them, send instead of a failure.
ERROR_VALUES: Final = (
    *(-27315, -20000, -12700, -9999, -9990, -9900),
    *(8500, 32767, 85000, 88880, 88888, 99900, 99990, 99999),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RowGroup:
    """The first and the last reading of a row group, as (city, time), and its batch from 0."""

    batch: int
    first: tuple[int, int]
    last: tuple[int, int]


class ReadingsWriter:
    """Writes the readings of one file into a Parquet object and totals them by city.

    A context manager: leaving it writes the footer and leaves `sink` open. Afterwards
    `totals` holds the totals by city, or None if there is no reading or there are too many cities
    to hold in memory: then `stored_readings.iter_city_totals` computes them.

    `error_values` tells how often each of ERROR_VALUES occurs, and `repeated` how many readings
    have the city and the time of one before them in the same batch. `repeats.iter_repeated` counts
    those in different batches.
    """

    def __init__(
        self,
        sink: IO[bytes] | RawIOBase,
        *,
        client_id: int,
        file_id: uuid.UUID,
        batch_size: int = BATCH_SIZE,
        row_group_size: int = ROW_GROUP_SIZE,
        max_partials: int = MAX_PARTIALS,
    ) -> None:
        self.totals: CityColumns | None = None
        self.error_values: Counter[int] = Counter()
        self.repeated = 0
        self.row_groups: list[RowGroup] = []
        self._client_id, self._file_id = client_id, file_id
        self._batch_size, self._row_group_size = batch_size, row_group_size
        self._max_partials = max_partials
        # The readings of the next batch. Memory is taken only for what is filled.
        self._cities: Int32Array = np.empty(batch_size, dtype=np.int32)
        self._times: Int64Array = np.empty(batch_size, dtype=np.int64)
        self._hundredths: Int32Array = np.empty(batch_size, dtype=np.int32)
        self._pending_count = 0
        self._partials: list[CityColumns] = []
        self._overlapping: Int32Array = np.empty(0, dtype=np.int32)
        self._holds_totals = True
        self._sums: list[Int64Array] = []
        self._parquet = pq.ParquetWriter(
            sink,
            WRITTEN_SCHEMA,
            store_schema=False,
            compression="zstd",
            compression_level=1,
            use_dictionary=CONSTANT,
            column_encoding=dict.fromkeys(VARYING, "DELTA_BINARY_PACKED"),
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
            free = slice(self._pending_count, self._pending_count + len(cities[part]))
            self._cities[free] = cities[part]
            self._times[free] = times[part]
            self._hundredths[free] = hundredths[part]
            self._pending_count = free.stop
            start = part.stop
            if self._pending_count == self._batch_size:
                self._write_batch()

    @property
    def overlapping(self) -> Int32Array | None:
        """The cities whose readings in two batches may have the same times; None for any city."""
        return self._overlapping if self._holds_totals else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._pending_count:
            self._write_batch()
        self._parquet.add_key_value_metadata({SUMS_KEY: pack_sums(self._sums)})
        # Also after an error: an open writer warns when it is garbage collected.
        self._parquet.close()
        if error is None and self._partials:
            self._find_overlaps()
            self.totals = merge_totals(self._partials)

    def _write_batch(self) -> None:
        pending = slice(self._pending_count)
        cities, times, hundredths = sort_readings(
            self._cities[pending], self._times[pending], self._hundredths[pending]
        )
        self._pending_count = 0
        table = make_table(
            cities, times, hundredths, client_id=self._client_id, file_id=self._file_id
        )
        self._parquet.write_table(table, row_group_size=self._row_group_size)
        starts = np.arange(0, len(cities), self._row_group_size)
        self._sums.append(np.add.reduceat(hundredths, starts, dtype=np.int64))
        self._count_suspicions(cities, times, hundredths)
        if self._holds_totals:
            self._add_partial(total_by_city(cities, times, hundredths))

    def _count_suspicions(
        self, cities: Int32Array, times: Int64Array, hundredths: Int32Array
    ) -> None:
        """Count error values and repeated readings in a sorted batch."""
        lowest, highest = hundredths.min(), hundredths.max()
        for value in ERROR_VALUES:
            if lowest <= value <= highest and (count := np.count_nonzero(hundredths == value)):
                self.error_values[value] += int(count)
        same = (times[1:] == times[:-1]) & (cities[1:] == cities[:-1])
        self.repeated += int(np.count_nonzero(same))
        batch = self.row_groups[-1].batch + 1 if self.row_groups else 0
        for start in range(0, len(cities), self._row_group_size):
            last = min(start + self._row_group_size, len(cities)) - 1
            self.row_groups.append(
                RowGroup(
                    batch=batch,
                    first=(int(cities[start]), int(times[start])),
                    last=(int(cities[last]), int(times[last])),
                )
            )

    def _add_partial(self, partial: CityColumns) -> None:
        self._partials.append(partial)
        if sum(map(len, self._partials)) <= self._max_partials:
            return
        self._find_overlaps()
        self._partials = [merge_totals(self._partials)]
        # Merging again and again without much effect would cost more than reading back.
        if len(self._partials[0]) > self._max_partials // 2:
            self._partials = []
            self._holds_totals = False

    def _find_overlaps(self) -> None:
        """Add the cities whose readings in two partial totals may have the same times."""
        self._overlapping = np.union1d(self._overlapping, overlapping_cities(self._partials))


def pack_sums(parts: list[Int64Array]) -> bytes:
    """Return the sums of row groups as text: other readers expect that of metadata."""
    sums = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return b64encode(sums.astype("<i8").tobytes())


def unpack_sums(packed: bytes) -> Int64Array:
    """Return the sums of row groups from the metadata of an object."""
    return np.frombuffer(b64decode(packed), dtype="<i8").astype(np.int64)
