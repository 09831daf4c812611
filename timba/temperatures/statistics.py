"""Computes statistics by city from a client's readings: exact, of whole files only, never stale.

Without bounds a statistic adds up the totals of files. With bounds, a file that lies wholly inside
counts by its totals too; of a file that overlaps a bound, only the row groups that can hold the
city are read.

A city's result is computed after reading the client's data version and cached under it. Every
change of what counts sets a new version in its own transaction, so an outdated result is never
looked up again.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from timba.errors import Unavailable
from timba.places.models import CITY_NUMBERS, City
from timba.serialization import dumps, loads
from timba.temperatures.bounds import ALL_TIME, TimeRange
from timba.temperatures.caching import bounded_cache, get_shared
from timba.temperatures.counted_files import (
    MAX_ATTEMPTS,
    UNAVAILABLE,
    CountedTotals,
    Run,
    current_totals,
    find_overlapping,
    find_overlapping_of_city,
    make_totals,
    stored_readings,
)
from timba.temperatures.models import CityTotals
from timba.temperatures.stored_readings import read_cities
from timba.temperatures.totals import Totals

MAX_CACHE_BYTES = 8 * 1024 * 1024
# Bytes of a cached result and its key, without the name, which takes up to four bytes a character.
RESULT_BYTES = 1024
_DATA_VERSION = "SELECT version FROM temperatures_dataversion WHERE client_id = %s"

R = TypeVar("R")


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
    return at_data_version(client_id, partial(_cached, client_id, city_id, bounds))


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


def at_data_version(client_id: int, compute: Callable[[uuid.UUID], R]) -> R | None:
    """Return the result of `compute`, which caches it under the data version that it is given.

    None if the client has never had data. Raises Unavailable if `compute` does for reasons other
    than a change of the data.
    """
    version = get_data_version(client_id)
    if version is None:
        return None
    try:
        return compute(version)
    except Unavailable:
        # A file may have been deleted, and its readings erased, while they were being read.
        new_version = get_data_version(client_id)
        if new_version is None or new_version == version:
            raise
        return compute(new_version)


def list_cities(client_id: int, *, bounds: TimeRange = ALL_TIME) -> QuerySet[CityTotals, Any]:
    """Return a row for each city of which the client has readings, ordered by number.

    `describe_cities` takes these rows.

    With bounds, a row holds only the number of the city, because the totals of all its readings are
    not needed.
    """
    rows = current_totals(client_id)
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
        rows_of_cities = current_totals(client_id).filter(city_id__in=numbers)
        totals = _totals_within(find_overlapping(rows_of_cities, bounds), bounds)
    return [
        CityStatistics(city_id=number, name=names.get(number), totals=totals.get(number))
        for number in numbers
    ]


def get_data_version(client_id: int) -> uuid.UUID | None:
    """Return the client's data version, or None if the client has never had data."""
    # Plain SQL: every statistic starts with this query, and the ORM takes far longer to write it.
    with connection.cursor() as cursor:
        cursor.execute(_DATA_VERSION, [client_id])
        row = cursor.fetchone()
    if row is None:
        return None
    # PostgreSQL returns a UUID, the others text.
    return row[0] if isinstance(row[0], uuid.UUID) else uuid.UUID(row[0])


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=lambda _: RESULT_BYTES)
def _overview(client_id: int, version: uuid.UUID) -> Overview:  # noqa: ARG001 - part of the cache key
    sums = current_totals(client_id).aggregate(
        cities=Count("city_id", distinct=True), readings=Sum("count", default=0)
    )
    return Overview(cities=sums["cities"], readings=int(sums["readings"]))


def _result_bytes(result: CityStatistics | None) -> int:
    return RESULT_BYTES + 4 * len((result and result.name) or "")


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=_result_bytes)
def _cached(
    client_id: int, city_id: int, bounds: TimeRange, version: uuid.UUID
) -> CityStatistics | None:
    if bounds.is_unbounded:
        row = next(iter(current_totals(client_id).filter(city_id=city_id).by_city()), None)
        if row is None:
            return None
        totals: Totals | None = _totals_of_row(row)
    else:
        key = f"temperatures:{version}:{city_id}:{bounds.start}:{bounds.stop}"
        found = get_shared(key, partial(_compute_within, client_id, city_id, bounds))
        if found is None:
            return None
        totals = Totals(**loads(found)) if found else None
    return CityStatistics(
        city_id=city_id,
        name=City.unscoped.names(client_id=client_id, numbers=[city_id]).get(city_id),
        totals=totals,
    )


def _compute_within(client_id: int, city_id: int, bounds: TimeRange) -> bytes | None:
    """Return totals as JSON, empty if no reading lies within bounds; None without the city."""
    parts = find_overlapping_of_city(client_id, city_id, bounds)
    if parts is None:
        return None
    totals = _totals_within(parts, bounds).get(city_id)
    return dumps(asdict(totals)) if totals else b""


def _totals_within(parts: Sequence[CountedTotals], bounds: TimeRange) -> dict[int, Totals]:
    """Return the totals by city of the readings within bounds; raise Unavailable."""
    result: dict[int, Totals] = {}
    partial_runs: dict[Run, list[int]] = defaultdict(list)
    for run, city_id, totals in parts:
        if bounds.start <= totals.first_at and totals.last_at < bounds.stop:
            result[city_id] = result[city_id] + totals if city_id in result else totals
        else:
            partial_runs[run].append(city_id)
    stored = stored_readings(partial_runs)
    for run, cities in partial_runs.items():
        try:
            inside = read_cities(stored[run], cities, start=bounds.start, stop=bounds.stop)
        except (KeyError, OSError) as error:
            raise Unavailable(UNAVAILABLE) from error
        for city_id, totals in inside.items():
            result[city_id] = result[city_id] + totals if city_id in result else totals
    return result


def _totals_of_row(row: Any) -> Totals:
    return make_totals([row.readings, row.total, row.lowest, row.highest, row.first, row.last])
