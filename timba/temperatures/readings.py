"""Writes readings: one Parquet object per file, sorted within batches, and totals by city.

Readings come in as columns, in any order. Each batch is sorted by city, then time, and appended as
row groups; the statistics of a row group (its least and greatest city and time) tell a reader which
few of them can hold a city in a time range. Nothing is rounded: temperatures are integer hundredths
of a degree Celsius, times are integer microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from io import RawIOBase
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from timba.temperatures.totals import (
    CityColumns,
    Int32Array,
    Int64Array,
    merge_totals,
    total_by_city,
)

# Readings in a batch and in a row group.
BATCH_SIZE = 1024 * 1024
ROW_GROUP_SIZE = 32_768
# While a file is written, at most so many totals by city are held in memory. A file with more
# cities is totalled from the finished object instead: see `stored_readings.iter_city_totals`.
MAX_PARTIALS = 1024 * 1024

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
    there are too many cities to hold in memory: then
    `stored_readings.iter_city_totals` computes them.
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


def _table(cities: Int32Array, times: Int64Array, hundredths: Int32Array) -> Any:
    """Return columns as an Arrow table with SCHEMA; a decimal32(5, 2) is its hundredths."""
    degrees = pa.array(hundredths, type=pa.int32()).view(SCHEMA.field("temperature").type)
    return pa.table([pa.array(cities), pa.array(times), degrees], schema=SCHEMA)
