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
from django.db.models import BigIntegerField, IntegerField, QuerySet, Subquery

from timba.db.compiled_queries import CompiledQuery
from timba.errors import Unavailable
from timba.places.city_numbers import CITY_NUMBERS
from timba.places.models import City
from timba.serialization import dumps, loads
from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.models import CityTotals
from timba.temperatures.readings.objects import Run, stored_readings
from timba.temperatures.readings.stored_readings import read_cities
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange
from timba.temperatures.statistics.caching import get_shared
from timba.temperatures.statistics.counted_files import (
    MAX_ATTEMPTS,
    CountedTotals,
    current_totals,
    find_overlapping_of_city,
    make_totals,
    reading_stored,
)

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


def city_statistics(
    *, client_id: int, city_id: int, bounds: TimeRange = ALL_TIME
) -> CityStatistics | None:
    """Return the statistics of a city, or None if the client has no reading of it at all.

    Raises Unavailable if readings cannot be read from the object store.
    """
    if city_id not in CITY_NUMBERS:
        return None
    return at_data_version(client_id, partial(_cached, client_id, city_id, bounds))


def at_data_version(client_id: int, compute: Callable[[uuid.UUID], R]) -> R | None:
    """Return the result of `compute`, which caches it under the data version that it is given.

    None if the client has never had data. Where `compute` raises Unavailable and the data changed
    meanwhile, it is called again, at most MAX_ATTEMPTS times in all.
    """
    version = get_data_version(client_id)
    if version is None:
        return None
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return compute(version)
        except Unavailable:
            # A file may have been deleted, and its readings erased, while they were being read.
            computed_at, version = version, get_data_version(client_id)
            if version is None or version == computed_at:
                raise
    return compute(version)


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


def result_bytes(result: CityStatistics | None) -> int:
    """Return about how many bytes of memory a cached result takes."""
    return RESULT_BYTES + 4 * len((result and result.name) or "")


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=result_bytes)
def _cached(
    client_id: int, city_id: int, bounds: TimeRange, version: uuid.UUID
) -> CityStatistics | None:
    totals: Totals | None
    if bounds.is_unbounded:
        rows = _totals_of_city.fetch(client_id, city_id)
        if not rows:
            return None
        (_, *values, name) = rows[0]
        totals = make_totals(values)
    else:
        key = f"temperatures:{version}:{city_id}:{bounds.start}:{bounds.stop}"
        found = get_shared(key, partial(_compute_within, client_id, city_id, bounds))
        if found is None:
            return None
        totals = Totals(**loads(found)) if found else None
        names = _name_of_city.fetch(client_id, city_id)
        name = names[0][0] if names else None
    return CityStatistics(city_id=city_id, name=name, totals=totals)


def _compute_within(client_id: int, city_id: int, bounds: TimeRange) -> bytes | None:
    """Return totals as JSON, empty if no reading lies within bounds; None without the city."""
    parts = find_overlapping_of_city(client_id, city_id, bounds)
    if parts is None:
        return None
    totals = totals_within(parts, bounds).get(city_id)
    return dumps(asdict(totals)) if totals else b""


def totals_within(parts: Sequence[CountedTotals], bounds: TimeRange) -> dict[int, Totals]:
    """Return the totals by city of the readings within bounds; raise Unavailable."""
    result: dict[int, Totals] = {}
    partial_runs: dict[Run, list[int]] = defaultdict(list)
    for part in parts:
        run, city_id, totals = part
        if part.is_inside(bounds):
            result[city_id] = result[city_id] + totals if city_id in result else totals
        else:
            partial_runs[run].append(city_id)
    stored = stored_readings(partial_runs)
    for run, cities in partial_runs.items():
        with reading_stored():
            inside = read_cities(stored[run], cities, start=bounds.start, stop=bounds.stop)
        for city_id, totals in inside.items():
            result[city_id] = result[city_id] + totals if city_id in result else totals
    return result


def totals_of_row(row: Any) -> Totals:
    """Return the totals in a row of `CityTotalsQuerySet.by_city`."""
    return make_totals([row.readings, row.total, row.lowest, row.highest, row.first, row.last])


def _build_name(client_id: Any, city_id: Any) -> QuerySet[City, Any]:
    return City.unscoped.filter(client_id=client_id, number=city_id).values_list("name")


def _build_totals(client_id: Any, city_id: Any) -> QuerySet[CityTotals, Any]:
    rows = current_totals(client_id).filter(city_id=city_id).by_city()
    return rows.annotate(name=Subquery(_build_name(client_id, city_id)))


_name_of_city = CompiledQuery(_build_name, BigIntegerField(), IntegerField())
_totals_of_city = CompiledQuery(_build_totals, BigIntegerField(), IntegerField())
