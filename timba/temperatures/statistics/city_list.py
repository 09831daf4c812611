"""Lists a client's cities page by page, without adding up those of other pages.

The rows of the cities after a number are found by an index alone, whether or not their files count;
which of them count is decided together with their totals, by a single query. Within bounds that
takes two, which are repeated if the data changed meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum

from timba.db.pagination import NO_CURSOR, Page, decode_cursor, encode_cursor
from timba.errors import Invalid, Unavailable
from timba.files.models import File
from timba.places.city_numbers import CITY_NUMBERS
from timba.places.models import City
from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.models import CityTotals, CityTotalsQuerySet
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange
from timba.temperatures.statistics.cities import (
    CityStatistics,
    at_data_version,
    get_data_version,
    result_bytes,
    totals_of_row,
    totals_within,
)
from timba.temperatures.statistics.counted_files import (
    UNAVAILABLE,
    current_totals,
    find_overlapping,
)

ORDER: Final = ("city_id",)
MAX_CACHE_BYTES: Final = 8 * 1024 * 1024
# The most cities whose rows are looked at by one query. The first one looks at those of a page.
MAX_CHUNK: Final = 10_000
# The cities of a client with more rows of totals than this are not counted.
MAX_COUNTED_ROWS: Final = 50_000
OVERVIEW_BYTES: Final = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The numbers of cities and of readings that a client has.

    Of a client with very many totals, `cities` is only the least number that it can be.
    """

    cities: int
    readings: int
    is_exact: bool = True


def list_cities(
    client_id: int, *, limit: int, cursor: str | None = None, bounds: TimeRange = ALL_TIME
) -> Page[CityStatistics]:
    """Return a page of the cities of which the client has readings, ordered by number.

    Raises Invalid for a cursor that no page can have, and Unavailable if readings cannot be read.
    """
    after = 0
    if cursor is not None:
        [after] = decode_cursor(cursor, CityTotals, ORDER)
        if after not in CITY_NUMBERS:
            raise Invalid(fields={"cursor": [NO_CURSOR]})
    found = at_data_version(client_id, partial(_cached_cities, client_id, after, limit, bounds))
    cities, last = found or ((), None)
    if len(cities) > limit:
        last = cities[limit - 1].city_id
    return Page(
        rows=list(cities[:limit]), next_cursor=None if last is None else encode_cursor([last])
    )


def get_overview(client_id: int) -> Overview:
    """Return how many cities and readings a client has."""
    found = at_data_version(client_id, partial(_cached_overview, client_id))
    return found or Overview(cities=0, readings=0)


def _page_bytes(page: tuple[tuple[CityStatistics, ...], int | None]) -> int:
    return OVERVIEW_BYTES + sum(map(result_bytes, page[0]))


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=_page_bytes)
def _cached_cities(
    client_id: int,
    after: int,
    limit: int,
    bounds: TimeRange,
    version: uuid.UUID,
) -> tuple[tuple[CityStatistics, ...], int | None]:
    """Return the cities after a number, and the last number that was looked at.

    The latter is None at the end of the list. There the numbers have no upper limit, so that a file
    that is new since counts with all of its cities.
    """
    last = _find_last(client_id, after, limit + 1)
    rows = _rows_between(client_id, after, last)
    return tuple(_describe(client_id, rows, bounds, version)), last


def _find_last(client_id: int, after: int, count: int) -> int | None:
    """Return the number of the last of the first `count` cities, or None if there are fewer.

    One query for the first cities whose files count would do, but databases may read all rows of
    these files for it. So an index is asked for the next cities, then which of them count.
    """
    chunk = count
    while True:
        everything = CityTotals.unscoped.filter(client_id=client_id, city_id__gt=after)
        last = next(iter(_numbers(everything)[chunk - 1 : chunk]), None)
        rows = _rows_between(client_id, after, last)
        counted = list(_numbers(rows)[:count])
        if len(counted) == count:
            return counted[-1]
        if last is None:
            return None
        after, count, chunk = last, count - len(counted), min(10 * chunk, MAX_CHUNK)


def _rows_between(client_id: int, after: int, last: int | None) -> CityTotalsQuerySet:
    """Return the rows that count of the cities after a number, up to the last if there is one."""
    rows = current_totals(client_id).filter(city_id__gt=after)
    return rows if last is None else rows.filter(city_id__lte=last)


def _numbers(rows: CityTotalsQuerySet) -> QuerySet[CityTotals, int]:
    """Return the numbers of the cities in some rows, in order."""
    return rows.order_by("city_id").values_list("city_id", flat=True).distinct()


def _describe(
    client_id: int, rows: CityTotalsQuerySet, bounds: TimeRange, version: uuid.UUID
) -> list[CityStatistics]:
    """Return the statistics of all cities in some rows; raise Unavailable."""
    totals: dict[int, Totals | None]
    if bounds.is_unbounded:
        totals = {row.city_id: totals_of_row(row) for row in rows.by_city()}
    else:
        # All rows in one query may be millions. A change between these two would show half a file.
        totals = dict.fromkeys(_numbers(rows))
        parts = find_overlapping(rows, bounds)
        if get_data_version(client_id) != version:
            raise Unavailable(UNAVAILABLE)
        totals |= totals_within(parts, bounds)
    names = City.unscoped.names(client_id=client_id, numbers=totals)
    return [
        CityStatistics(city_id=number, name=names.get(number), totals=totals[number])
        for number in sorted(totals)
    ]


@bounded_cache(max_bytes=MAX_CACHE_BYTES, size_of=lambda _: OVERVIEW_BYTES)
def _cached_overview(client_id: int, version: uuid.UUID) -> Overview:  # noqa: ARG001 - part of the cache key
    rows = CityTotals.unscoped.filter(client_id=client_id)
    if rows[: MAX_COUNTED_ROWS + 1].count() <= MAX_COUNTED_ROWS:
        sums = current_totals(client_id).aggregate(
            cities=Count("city_id", distinct=True), readings=Sum("count", default=0)
        )
        return Overview(cities=sums["cities"], readings=int(sums["readings"]))
    results: Iterable[Any] = File.unscoped.filter(
        client_id=client_id,
        kind=File.Kind.TEMPERATURES,
        status__in=[File.Status.SUCCESS, File.Status.PENDING],
        deleted_at__isnull=True,
        run__isnull=False,
    ).values_list("result", flat=True)
    numbers = [(result["cities"], result["accepted"]) for result in results]
    cities, readings = zip(*numbers, strict=True) if numbers else ((0,), (0,))
    return Overview(cities=max(cities), readings=sum(readings), is_exact=len(cities) == 1)
