"""Readings at rest: one Parquet object per file, and the exact totals of its cities.

Columns of readings come in, in any order and any number. Every run of them is sorted by city and
time and appended as row groups, whose own least and greatest values later tell a reader which few
of them hold a city at a time. Nothing here is ever rounded: degrees are integer hundredths, times
are integer microseconds.
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
from timba.temperatures.totals import CityColumns, Ints, Longs, Totals, merge_totals, total_by_city

RUN = 1024 * 1024
ROW_GROUP = 32_768
# Totals of more cities than this are not kept in memory while a file is written, but read back
# from the finished object, so many row groups' worth of cities at a time.
MAX_PARTIALS = 1024 * 1024
FOLDED_GROUPS = 32
# A footer takes so many times its size on disk: that of a gigabyte of readings takes megabytes.
FOOTER_IN_MEMORY = 12
MAX_FOOTER_BYTES = 64 * 1024 * 1024

SCHEMA = pa.schema(
    [
        pa.field("city_id", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("temperature", pa.decimal32(5, 2), nullable=False),
    ]
)


class ReadingsWriter:
    """Writes one file's readings into one Parquet object and sums them up by city.

    A context manager: leaving it writes the footer and leaves the sink open. Then `totals` are
    complete, or None where the cities are too many to hold: `fold_by_city` reads them back.
    """

    def __init__(
        self,
        sink: IO[bytes] | RawIOBase,
        *,
        run: int = RUN,
        row_group: int = ROW_GROUP,
        max_partials: int = MAX_PARTIALS,
    ) -> None:
        self.count = 0
        self.totals: CityColumns | None = None
        self._run, self._row_group, self._max_partials = run, row_group, max_partials
        self._pending: list[tuple[Ints, Longs, Ints]] = []
        self._pending_count = 0
        self._partials: list[CityColumns] = []
        self._keeps_totals = True
        self._parquet = pq.ParquetWriter(
            sink,
            SCHEMA,
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
            column_encoding=dict.fromkeys(SCHEMA.names, "DELTA_BINARY_PACKED"),
            # Else a decimal is an array of bytes, which is larger and knows no deltas.
            store_decimal_as_integer=True,
        )

    def add(self, cities: Ints, times: Longs, hundredths: Ints) -> None:
        """Take readings as three columns of the same length."""
        start = 0
        while start < len(cities):
            part = slice(start, start + self._run - self._pending_count)
            self._pending.append((cities[part], times[part], hundredths[part]))
            self._pending_count += len(cities[part])
            start = part.stop
            if self._pending_count == self._run:
                self._write_run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        problem_type: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if problem is None and self._pending:
            self._write_run()
        # Also after a problem: a writer that is left open complains when it is forgotten.
        self._parquet.close()
        if problem is None and self._partials:
            self.totals = merge_totals(self._partials)

    def _write_run(self) -> None:
        cities, times, hundredths = (
            np.concatenate(column) for column in zip(*self._pending, strict=True)
        )
        self._pending, self._pending_count = [], 0
        order = np.lexsort((times, cities))
        cities, times, hundredths = cities[order], times[order], hundredths[order]
        self.count += len(cities)
        self._parquet.write_table(_table(cities, times, hundredths), row_group_size=self._row_group)
        if self._keeps_totals:
            self._keep(total_by_city(cities, times, hundredths))

    def _keep(self, partial: CityColumns) -> None:
        self._partials.append(partial)
        if sum(map(len, self._partials)) <= self._max_partials:
            return
        self._partials = [merge_totals(self._partials)]
        # Folding again and again what hardly gets smaller would cost more than reading it back.
        if len(self._partials[0]) > self._max_partials // 2:
            self._partials = []
            self._keeps_totals = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReadings:
    """A finished object: written once under its key, so what is known of a key stays true."""

    key: str
    open: Callable[[], IO[bytes]] = field(compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footer:
    """What an object's footer tells: where things are, and each row group's limits."""

    metadata: Any
    first_cities: Longs
    last_cities: Longs
    first_times: Longs
    last_times: Longs


def read_cities(
    stored: StoredReadings, cities: Collection[int], *, start: int, stop: int
) -> dict[int, Totals]:
    """Return the totals, by city, of readings from `start` up to, not including, `stop`."""
    parts = list(_parts(stored, np.unique(np.array(cities, dtype=np.int64)), start, stop))
    return dict(merge_totals(parts)) if parts else {}


def fold_by_city(stored: StoredReadings) -> Iterator[CityColumns]:
    """Yield the totals of all cities in order, as many at a time as memory is meant to hold."""
    footer = footer_of(stored)
    cuts = np.unique(np.sort(footer.first_cities)[::FOLDED_GROUPS])
    ends = np.append(cuts[1:], footer.last_cities.max() + 1)
    with stored.open() as source:
        parquet = pq.ParquetFile(source, metadata=footer.metadata)
        for first, end in zip(cuts.tolist(), ends.tolist(), strict=True):
            groups = (footer.first_cities < end) & (footer.last_cities >= first)
            yield _fold_range(parquet, np.flatnonzero(groups).tolist(), first, end)


def bytes_of(footer: Footer) -> int:
    """Return about how much memory a footer takes."""
    return FOOTER_IN_MEMORY * int(footer.metadata.serialized_size)


@bounded_cache(max_bytes=MAX_FOOTER_BYTES, size_of=bytes_of)
def footer_of(stored: StoredReadings) -> Footer:
    """Return an object's footer, read once for as long as it is remembered."""
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


def _parts(stored: StoredReadings, wanted: Longs, start: int, stop: int) -> Iterator[CityColumns]:
    """Yield the totals of each row group that holds wanted cities at the time."""
    footer = footer_of(stored)
    before = np.searchsorted(wanted, footer.first_cities)
    upto = np.searchsorted(wanted, footer.last_cities, side="right")
    groups = np.flatnonzero(
        (before < upto) & (footer.last_times >= start) & (footer.first_times < stop)
    ).tolist()
    if not groups:
        return
    with stored.open() as source:
        parquet = pq.ParquetFile(source, metadata=footer.metadata)
        for group in groups:
            cities, times, hundredths = _columns(parquet, group)
            # A row group is a stretch of a sorted run: what is wanted lies close together in it.
            part = slice(*np.searchsorted(cities, [wanted[0], wanted[-1] + 1]))
            cities, times, hundredths = cities[part], times[part], hundredths[part]
            inside = np.isin(cities, wanted) & (times >= start) & (times < stop)
            if inside.any():
                yield total_by_city(cities[inside], times[inside], hundredths[inside])


def _fold_range(parquet: Any, groups: list[int], first: int, end: int) -> CityColumns:
    partials: list[CityColumns] = []
    limit = MAX_PARTIALS
    for group in groups:
        cities, times, hundredths = _columns(parquet, group)
        part = slice(*np.searchsorted(cities, [first, end]))
        if part.start < part.stop:
            partials.append(total_by_city(cities[part], times[part], hundredths[part]))
        if sum(map(len, partials)) > limit:
            partials = [merge_totals(partials)]
            limit = max(MAX_PARTIALS, 2 * len(partials[0]))
    return merge_totals(partials)


def _table(cities: Ints, times: Longs, hundredths: Ints) -> Any:
    degrees = pa.array(hundredths, type=pa.int32()).view(SCHEMA.field("temperature").type)
    return pa.table([pa.array(cities), pa.array(times), degrees], schema=SCHEMA)


def _columns(parquet: Any, group: int) -> tuple[Ints, Longs, Ints]:
    cities, times, degrees = (
        column.combine_chunks()
        for column in parquet.read_row_group(group, use_threads=False).columns
    )
    return (
        cities.to_numpy(),
        times.view(pa.int64()).to_numpy(),
        degrees.view(pa.int32()).to_numpy(),
    )
