"""Computes statistics by city from a client's readings: exact, of whole files only, never stale.

Without bounds a statistic adds up the totals of files. With bounds, a file that lies wholly inside
counts by its totals too; of a file that overlaps a bound, only the row groups that can hold the
city are read.

A city's result is computed after reading the client's data version and cached under it. Every
change of what counts sets a new version in its own transaction, so an outdated result is never
looked up again.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from django.core.cache import cache
from django.db.models import Count, QuerySet, Sum

from timba.errors import Unavailable
from timba.files.models import Derivative
from timba.files.storage import store
from timba.places.models import CITY_NUMBERS, City
from timba.temperatures.bounds import ALL_TIME, TimeRange, to_datetime, to_microseconds
from timba.temperatures.caching import bounded_cache
from timba.temperatures.models import CityTotals, CityTotalsQuerySet, DataVersion
from timba.temperatures.stored_readings import StoredReadings, read_cities
from timba.temperatures.totals import Totals

MAX_CACHE_BYTES = 8 * 1024 * 1024
# Bytes of a cached result and its key, without the name, which takes up to four bytes a character.
RESULT_BYTES = 1024
# How often a result is computed at most when the data changes meanwhile.
MAX_ATTEMPTS = 3
# Sharing a result with other processes is a write, which pays only for one that took long.
SHARE_FROM_SECONDS = 0.05
SHARED_TTL_SECONDS = 24 * 3600

UNAVAILABLE = "Some readings cannot be read just now. Try again in a moment."

R = TypeVar("R")
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CityStatistics:
    """The statistics of one city; `totals` is None if there is no reading within the bounds."""

    city_id: int
    name: str | None
    totals: Totals | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The numbers of cities and of readings that a client has."""

    cities: int
    readings: int


def city_statistics(
    *, client_id: int, city_id: int, bounds: TimeRange = ALL_TIME
) -> CityStatistics | None:
    """Return the statistics of a city, or None if the client has no reading of it at all.

    Raises Unavailable if readings cannot be read from the object store.
    """
    if city_id not in CITY_NUMBERS:
        return None
    version = get_data_version(client_id)
    if version is None:
        return None
    try:
        return _cached(client_id, city_id, bounds, version)
    except Unavailable:
        # A file may have been deleted, and its readings erased, while they were being read.
        new_version = get_data_version(client_id)
        if new_version in (None, version):
            raise
        return _cached(client_id, city_id, bounds, new_version)


def get_overview(client_id: int) -> Overview:
    """Return how many cities and readings a client has."""
    version = get_data_version(client_id)
    return Overview(cities=0, readings=0) if version is None else _overview(client_id, version)


def read_at_one_version(client_id: int, query: Callable[[], R]) -> R:
    """Return the result of `query`, which makes several database queries, as of one data version.

    It is called again if the data changed meanwhile, at most three times in all; the last result is
    returned even so. Raises Unavailable if it does for reasons other than a change.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        version = get_data_version(client_id)
        try:
            result = query()
        except Unavailable:
            if attempt == MAX_ATTEMPTS or get_data_version(client_id) == version:
                raise
            continue
        if get_data_version(client_id) == version:
            break
    return result


def list_cities(client_id: int, *, bounds: TimeRange = ALL_TIME) -> QuerySet[CityTotals, Any]:
    """Return a row for each city of which the client has readings, ordered by number.

    `describe_cities` takes these rows.

    With bounds, a row holds only the number of the city, because the totals of all its readings are
    not needed.
    """
    rows = _current_totals(client_id)
    if bounds.is_unbounded:
        return rows.by_city().order_by("city_id")
    return rows.order_by("city_id").values_list("city_id", named=True).distinct()


def describe_cities(
    *, client_id: int, rows: Sequence[Any], bounds: TimeRange = ALL_TIME
) -> list[CityStatistics]:
    """Return the statistics of the cities in some rows of `list_cities`, in the same order."""
    numbers = [row.city_id for row in rows]
    names = City.unscoped.names(client_id=client_id, numbers=numbers)
    if bounds.is_unbounded:
        totals = {row.city_id: _totals_of_row(row) for row in rows}
    else:
        totals = _totals_within(_current_totals(client_id).filter(city_id__in=numbers), bounds)
    return [
        CityStatistics(city_id=number, name=names.get(number), totals=totals.get(number))
        for number in numbers
    ]


def get_data_version(client_id: int) -> uuid.UUID | None:
    """Return the client's data version, or None if the client has never had data."""
    rows = DataVersion.unscoped.filter(client_id=client_id)
    return next(iter(rows.values_list("version", flat=True)), None)


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=lambda _: RESULT_BYTES)
def _overview(client_id: int, version: uuid.UUID) -> Overview:  # noqa: ARG001 - part of the cache key
    sums = _current_totals(client_id).aggregate(
        cities=Count("city_id", distinct=True), readings=Sum("count", default=0)
    )
    return Overview(cities=sums["cities"], readings=int(sums["readings"]))


def _result_bytes(result: CityStatistics | None) -> int:
    return RESULT_BYTES + 4 * len((result and result.name) or "")


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=_result_bytes)
def _cached(
    client_id: int, city_id: int, bounds: TimeRange, version: uuid.UUID
) -> CityStatistics | None:
    rows = _current_totals(client_id).filter(city_id=city_id)
    if bounds.is_unbounded:
        row = next(iter(rows.by_city()), None)
        totals = row and _totals_of_row(row)
    else:
        key = f"temperatures:{version}:{city_id}:{bounds.start}:{bounds.stop}"
        totals = _get_shared(key, lambda: _totals_within(rows, bounds).get(city_id))
    if totals is None and (bounds.is_unbounded or not rows.exists()):
        return None
    return CityStatistics(
        city_id=city_id,
        name=City.unscoped.names(client_id=client_id, numbers=[city_id]).get(city_id),
        totals=totals,
    )


def _get_shared(key: str, compute: Callable[[], Totals | None]) -> Totals | None:
    """Return the totals in the cache that processes share, or compute and perhaps store them.

    The cache may be unavailable. An empty mapping in it means that there is no reading.
    """
    try:
        cached = cache.get(key)
    except Exception:
        logger.warning("cache_unavailable", exc_info=True)
        cached = None
    if cached is not None:
        return Totals(**cached) if cached else None
    started = time.monotonic()
    totals = compute()
    if time.monotonic() - started >= SHARE_FROM_SECONDS:
        try:
            cache.set(key, asdict(totals) if totals else {}, SHARED_TTL_SECONDS)
        except Exception:
            logger.warning("cache_unavailable", exc_info=True)
    return totals


def _totals_within(rows: CityTotalsQuerySet, bounds: TimeRange) -> dict[int, Totals]:
    """Return the totals by city of the readings within bounds.

    A single query decides which files count, so that the result is consistent. Raises Unavailable.
    """
    if bounds.start >= bounds.stop:
        return {}
    overlapping = rows.filter(
        last_at__gte=to_datetime(bounds.start), first_at__lt=to_datetime(bounds.stop)
    ).values_list(
        "file_id",
        "run",
        "city_id",
        "count",
        "sum_hundredths",
        "min_hundredths",
        "max_hundredths",
        "first_at",
        "last_at",
    )
    result: dict[int, Totals] = {}
    partial_files: dict[tuple[uuid.UUID, int], list[int]] = defaultdict(list)
    for file_id, run, city_id, *values in overlapping:
        totals = _totals(values)
        if bounds.start <= totals.first_at and totals.last_at < bounds.stop:
            result[city_id] = result[city_id] + totals if city_id in result else totals
        else:
            partial_files[file_id, run].append(city_id)
    stored = _stored_readings(partial_files)
    for file_run, cities in partial_files.items():
        try:
            parts = read_cities(stored[file_run], cities, start=bounds.start, stop=bounds.stop)
        except (KeyError, OSError) as error:
            raise Unavailable(UNAVAILABLE) from error
        for city_id, part in parts.items():
            result[city_id] = result[city_id] + part if city_id in result else part
    return result


def _stored_readings(
    runs: Collection[tuple[uuid.UUID, int]],
) -> dict[tuple[uuid.UUID, int], StoredReadings]:
    """Return the objects with the readings of these (file, run) pairs."""
    if not runs:
        return {}
    rows = Derivative.objects.filter(
        role=Derivative.Role.READINGS,
        file_id__in={file_id for file_id, _ in runs},
        run__in={run for _, run in runs},
    )
    return {
        (file_id, run): StoredReadings(key=key, open=partial(store().open_bytes, key))
        for file_id, run, key in rows.values_list("file_id", "run", "storage_key")
    }


def _current_totals(client_id: int) -> CityTotalsQuerySet:
    return CityTotals.unscoped.filter(client_id=client_id).current()


def _totals_of_row(row: Any) -> Totals:
    return _totals([row.readings, row.total, row.lowest, row.highest, row.first, row.last])


def _totals(values: Sequence[Any]) -> Totals:
    count, total, lowest, highest, first, last = values
    # MariaDB returns sums of integers as decimals.
    return Totals(
        count=int(count),
        sum_hundredths=int(total),
        min_hundredths=lowest,
        max_hundredths=highest,
        first_at=to_microseconds(first),
        last_at=to_microseconds(last),
    )
