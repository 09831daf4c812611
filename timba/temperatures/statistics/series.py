"""Computes a city's series: the totals of its readings by hour or by day.

A series is as exact as a statistic, and computed and cached like one. Of a file that is not counted
by its totals, one row group is read at a time, so memory follows the number of points.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

import numpy as np

from timba.errors import Invalid
from timba.places.city_numbers import CITY_NUMBERS
from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.lines.timestamp_fields import DAY, HOUR
from timba.temperatures.readings.objects import Run, stored_readings
from timba.temperatures.readings.stored_readings import iter_bucket_totals
from timba.temperatures.readings.totals import CityColumns, Int64Array, merge_totals
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange
from timba.temperatures.statistics.caching import get_shared
from timba.temperatures.statistics.cities import at_data_version
from timba.temperatures.statistics.counted_files import (
    CountedTotals,
    find_overlapping_of_city,
    reading_stored,
)

MAX_POINTS: Final = 10_000
TOO_MANY_POINTS: Final = (
    f"The series would have more than {MAX_POINTS:,} points. Ask for a shorter period, or for days."
)
# Totals of buckets, which may occur in several row groups, are merged when there are so many.
MERGE_FROM: Final = 4 * MAX_POINTS
MAX_CACHE_BYTES: Final = 16 * 1024 * 1024
# Bytes of a cached series and its key, without the points.
SERIES_BYTES: Final = 512
# The rows of an array of points.
ROWS: Final = 5


class Bucket(StrEnum):
    """The length of the periods, in UTC, whose readings make a point."""

    HOUR = "hour"
    DAY = "day"

    @property
    def width(self) -> int:
        """The length in microseconds."""
        return HOUR if self is Bucket.HOUR else DAY


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """The points of one city, oldest first, as the columns of an array.

    Its rows are the first microseconds of the buckets since 1970-01-01 UTC, the numbers of their
    readings, and the lowest, highest and mean temperatures in hundredths of a degree Celsius.
    """

    city_id: int
    bucket: Bucket
    points: Int64Array


def city_series(
    *, client_id: int, city_id: int, bucket: Bucket, bounds: TimeRange = ALL_TIME
) -> Series | None:
    """Return the series of a city within bounds, or None if the client has no reading of it at all.

    Raises Invalid for more than MAX_POINTS points, and Unavailable if readings cannot be read from
    the object store.
    """
    if city_id not in CITY_NUMBERS:
        return None
    return at_data_version(client_id, partial(_cached, client_id, city_id, bucket, bounds))


def _size_of(series: Series | None) -> int:
    return SERIES_BYTES + (series.points.nbytes if series else 0)


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=_size_of)
def _cached(
    client_id: int, city_id: int, bucket: Bucket, bounds: TimeRange, version: uuid.UUID
) -> Series | None:
    packed = get_shared(
        f"temperatures:{version}:{city_id}:{bucket}:{bounds.start}:{bounds.stop}",
        partial(_compute_packed, client_id, city_id, bucket, bounds),
    )
    if packed is None:
        return None
    points = np.frombuffer(zlib.decompress(packed), dtype=np.int64).reshape(ROWS, -1)
    return Series(city_id=city_id, bucket=bucket, points=points)


def _compute_packed(
    client_id: int, city_id: int, bucket: Bucket, bounds: TimeRange
) -> bytes | None:
    """Return the compressed points of a series, or None if there is no reading of the city."""
    parts = find_overlapping_of_city(client_id, city_id, bounds)
    if parts is None:
        return None
    merged = _merge(_iter_totals(parts, bounds, bucket.width))
    return zlib.compress(_points(merged, bucket.width).tobytes(), level=1)


def _iter_totals(
    parts: Sequence[CountedTotals], bounds: TimeRange, width: int
) -> Iterator[CityColumns]:
    """Yield the totals of buckets, each of which may occur several times; raise Unavailable."""
    runs: dict[Run, int] = {}
    for part in parts:
        run, city_id, totals = part
        if part.is_inside(bounds) and totals.first_at // width == totals.last_at // width:
            yield CityColumns.of_one(totals.first_at // width, totals)
        else:
            runs[run] = city_id
    stored = stored_readings(runs)
    for run, city_id in runs.items():
        with reading_stored():
            yield from iter_bucket_totals(
                stored[run], city_id, start=bounds.start, stop=bounds.stop, width=width
            )


def _merge(parts: Iterable[CityColumns]) -> CityColumns | None:
    """Return the totals by bucket, or None without any; raise Invalid if there are too many."""
    pending: list[CityColumns] = []
    pending_count = 0
    for part in parts:
        pending.append(part)
        pending_count += len(part)
        if pending_count >= MERGE_FROM:
            pending = [_check_length(merge_totals(pending))]
            pending_count = len(pending[0])
    return _check_length(merge_totals(pending)) if pending else None


def _check_length(totals: CityColumns) -> CityColumns:
    if len(totals) > MAX_POINTS:
        raise Invalid(TOO_MANY_POINTS)
    return totals


def _points(totals: CityColumns | None, width: int) -> Int64Array:
    """Return the columns of points; a mean is rounded half away from zero."""
    if totals is None:
        return np.empty((ROWS, 0), dtype=np.int64)
    means = (2 * np.abs(totals.sums) + totals.counts) // (2 * totals.counts)
    return np.stack(
        [
            totals.cities.astype(np.int64) * width,
            totals.counts,
            totals.lowest,
            totals.highest,
            np.where(totals.sums < 0, -means, means),
        ]
    )
