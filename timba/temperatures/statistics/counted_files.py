"""Which files count for a client, and where their readings are.

A single query decides which files count for an answer, so that it contains all of a file or none.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import (
    BigIntegerField,
    Count,
    DateTimeField,
    IntegerField,
    Q,
    QuerySet,
    Window,
)

from timba.accounts.tenancy import TenantQuerySet
from timba.db.compiled_queries import CompiledQuery
from timba.errors import Unavailable
from timba.temperatures.models import CityTotals, CityTotalsQuerySet
from timba.temperatures.readings.objects import Run
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.bounds import TimeRange, to_datetime, to_microseconds

# How often an answer is computed at most when the data changes meanwhile.
MAX_ATTEMPTS: Final = 3
UNAVAILABLE: Final = "Some readings cannot be read just now. Try again in a moment."


class CountedTotals(NamedTuple):
    """The totals of a city in one file that counts."""

    run: Run
    city_id: int
    totals: Totals

    def is_inside(self, bounds: TimeRange) -> bool:
        """Whether all readings lie within the bounds."""
        return bounds.start <= self.totals.first_at and self.totals.last_at < bounds.stop


class CityFile(NamedTuple):
    """A file with readings of a city: how many, and the times of the first and the last."""

    pk: uuid.UUID
    name: str
    readings: int
    first_at: datetime
    last_at: datetime


def current_totals(client_id: Any) -> CityTotalsQuerySet:
    """Return the rows of totals that count for a client."""
    return CityTotals.unscoped.filter(client_id=client_id).current()


def find_overlapping(rows: CityTotalsQuerySet, bounds: TimeRange) -> list[CountedTotals]:
    """Return the totals that may have readings within bounds, by a single query."""
    if bounds.start >= bounds.stop:
        return []
    return _counted(_overlapping(rows, *_limits(bounds)))


def find_overlapping_of_city(
    client_id: int, city_id: int, bounds: TimeRange
) -> list[CountedTotals] | None:
    """Return the totals of a city that may have readings within bounds.

    None if the client has no reading of the city at all. Raises Unavailable if the data changes
    again and again.
    """
    for _ in range(MAX_ATTEMPTS):
        if found := _find_of_city(client_id, city_id, bounds):
            return found
        # Files may have come or gone since, so one more query decides both.
        overlapping = Count("pk", filter=_overlaps(*_limits(bounds)))
        rows = current_totals(client_id).filter(city_id=city_id)
        counts = rows.aggregate(all=Count("pk"), overlapping=overlapping)
        if not counts["all"]:
            return None
        if not counts["overlapping"] or bounds.start >= bounds.stop:
            return []
    raise Unavailable(UNAVAILABLE)


def _find_of_city(client_id: int, city_id: int, bounds: TimeRange) -> list[CountedTotals]:
    """Return what `find_overlapping` finds of one city."""
    if bounds.start >= bounds.stop:
        return []
    return _counted(_overlapping_of_city.fetch(client_id, city_id, *_limits(bounds)))


def list_files(
    rows: TenantQuerySet[CityTotals], bounds: TimeRange, *, limit: int
) -> tuple[list[CityFile], int]:
    """Return the newest files of a city's rows that reach into the bounds, and how many do.

    By a single query. A file reaches into them from its first to its last reading of the city,
    whether or not one of these lies within.
    """
    found = (
        rows.filter(_overlaps(*_limits(bounds)))
        .order_by("-file__uploaded_at", "-file_id")
        .values_list("file_id", "file__name", "count", "first_at", "last_at")
        .annotate(files=Window(Count("pk")))[:limit]
    )
    files = list(found)
    return [CityFile(*row[:-1]) for row in files], files[0][-1] if files else 0


@contextmanager
def reading_stored() -> Iterator[None]:
    """Raise Unavailable where readings are erased or the object store cannot be read."""
    try:
        yield
    except (KeyError, OSError) as error:
        raise Unavailable(UNAVAILABLE) from error


def make_totals(values: Sequence[Any]) -> Totals:
    """Return totals from the columns of a row."""
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


def _counted(rows: Iterable[Sequence[Any]]) -> list[CountedTotals]:
    return [
        CountedTotals(run=(file_id, run), city_id=city_id, totals=make_totals(values))
        for file_id, run, city_id, *values in rows
    ]


def _overlapping(
    rows: CityTotalsQuerySet, start: Any, stop: Any
) -> QuerySet[CityTotals, tuple[Any, ...]]:
    return rows.filter(_overlaps(start, stop)).values_list(
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


def _limits(bounds: TimeRange) -> tuple[datetime, datetime]:
    return to_datetime(bounds.start), to_datetime(bounds.stop)


def _overlaps(start: Any, stop: Any) -> Q:
    return Q(last_at__gte=start, first_at__lt=stop)


def _build_of_city(
    client_id: Any, city_id: Any, start: Any, stop: Any
) -> QuerySet[CityTotals, tuple[Any, ...]]:
    return _overlapping(current_totals(client_id).filter(city_id=city_id), start, stop)


_overlapping_of_city = CompiledQuery(
    _build_of_city, BigIntegerField(), IntegerField(), DateTimeField(), DateTimeField()
)
