"""What a client's readings come to, city by city: exact, of whole files only, and never stale.

Without bounds an answer adds up totals. With bounds, a file that lies wholly inside counts by its
totals too; of one that lies across a bound, only the row groups that can hold the city are read.

A city's answer is made after reading the client's data version and kept under it. Every change of
what counts sets a new version in its own transaction, so a kept answer is never looked up again
once it has become untrue.
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
from timba.temperatures.bounds import ALL_TIME, TimeRange, microseconds, moment
from timba.temperatures.caching import bounded_cache
from timba.temperatures.models import CityTotals, CityTotalsQuerySet, DataVersion
from timba.temperatures.readings import StoredReadings, read_cities
from timba.temperatures.totals import Totals

MAX_ANSWER_BYTES = 8 * 1024 * 1024
# What an answer and its key take, but for the name, whose letters take up to four bytes each.
ANSWER_BYTES = 1024
# How often an answer is made anew, where what it is made of changes meanwhile.
ATTEMPTS = 3
# Sharing an answer with other processes is a write: worth it for one that took long to make.
SHARED_FROM_SECONDS = 0.05
SHARED_FOR_SECONDS = 24 * 3600

AWAY = "Some readings cannot be read just now. Try again in a moment."

R = TypeVar("R")
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CityStatistics:
    """One city's answer; `totals` is None where the bounds hold no reading."""

    city_id: int
    name: str | None
    totals: Totals | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Of how many cities a client has readings, and how many."""

    cities: int
    readings: int


def city_statistics(
    *, client_id: int, city_id: int, bounds: TimeRange = ALL_TIME
) -> CityStatistics | None:
    """Return a city's statistics; None when the client has no reading of it at all."""
    if city_id not in CITY_NUMBERS:
        return None
    version = data_version(client_id)
    if version is None:
        return None
    try:
        return _cached(client_id, city_id, bounds, version)
    except Unavailable:
        # Perhaps a file was deleted, and its readings erased, while they were being read.
        newer = data_version(client_id)
        if newer in (None, version):
            raise
        return _cached(client_id, city_id, bounds, newer)


def overview_of(client_id: int) -> Overview:
    """Return how much a client has in all."""
    version = data_version(client_id)
    return Overview(cities=0, readings=0) if version is None else _overview(client_id, version)


def at_one_version(client_id: int, make: Callable[[], R]) -> R:
    """Return what `make` makes of several queries, made anew where the data changed meanwhile.

    So they tell of one moment, and a file that is erased while it is read does no harm.
    """
    for attempt in range(1, ATTEMPTS + 1):
        version = data_version(client_id)
        try:
            made = make()
        except Unavailable:
            if attempt == ATTEMPTS or data_version(client_id) == version:
                raise
            continue
        if data_version(client_id) == version:
            break
    return made


def cities_of(client_id: int, *, bounds: TimeRange = ALL_TIME) -> QuerySet[CityTotals, Any]:
    """Return a row for each city of which the client has a reading, for `describe_cities`.

    With bounds it holds the city's number alone: what all readings add up to is not asked.
    """
    rows = _counting(client_id)
    if bounds.hold_everything:
        return rows.by_city().order_by("city_id")
    return rows.order_by("city_id").values_list("city_id", named=True).distinct()


def describe_cities(
    *, client_id: int, rows: Sequence[Any], bounds: TimeRange = ALL_TIME
) -> list[CityStatistics]:
    """Return the statistics of some rows of `cities_of`, with their names."""
    numbers = [row.city_id for row in rows]
    names = City.unscoped.names(client_id=client_id, numbers=numbers)
    if bounds.hold_everything:
        totals = {row.city_id: _totals_of(row) for row in rows}
    else:
        totals = _within(_counting(client_id).filter(city_id__in=numbers), bounds)
    return [
        CityStatistics(city_id=number, name=names.get(number), totals=totals.get(number))
        for number in numbers
    ]


def data_version(client_id: int) -> uuid.UUID | None:
    """Return the mark under which answers may be kept; None while there has never been data."""
    found = DataVersion.unscoped.filter(client_id=client_id)
    return next(iter(found.values_list("version", flat=True)), None)


@bounded_cache(max_bytes=MAX_ANSWER_BYTES, size_of=lambda _: ANSWER_BYTES)
def _overview(client_id: int, version: uuid.UUID) -> Overview:  # noqa: ARG001 - it is kept under it
    sums = _counting(client_id).aggregate(
        cities=Count("city_id", distinct=True), readings=Sum("count", default=0)
    )
    return Overview(cities=sums["cities"], readings=int(sums["readings"]))


def _bytes_of(answer: CityStatistics | None) -> int:
    return ANSWER_BYTES + 4 * len((answer and answer.name) or "")


@bounded_cache(max_bytes=MAX_ANSWER_BYTES, size_of=_bytes_of)
def _cached(
    client_id: int, city_id: int, bounds: TimeRange, version: uuid.UUID
) -> CityStatistics | None:
    rows = _counting(client_id).filter(city_id=city_id)
    if bounds.hold_everything:
        row = next(iter(rows.by_city()), None)
        totals = row and _totals_of(row)
    else:
        key = f"temperatures:{version}:{city_id}:{bounds.start}:{bounds.stop}"
        totals = _shared(key, lambda: _within(rows, bounds).get(city_id))
    if totals is None and (bounds.hold_everything or not rows.exists()):
        return None
    return CityStatistics(
        city_id=city_id,
        name=City.unscoped.names(client_id=client_id, numbers=[city_id]).get(city_id),
        totals=totals,
    )


def _shared(key: str, make: Callable[[], Totals | None]) -> Totals | None:
    """Return what another process has made under this key, else make it."""
    try:
        kept = cache.get(key)
    except Exception:
        logger.warning("cache_away", exc_info=True)
        kept = None
    if kept is not None:
        return Totals(**kept) if kept else None
    started = time.monotonic()
    totals = make()
    if time.monotonic() - started >= SHARED_FROM_SECONDS:
        try:
            cache.set(key, asdict(totals) if totals else {}, SHARED_FOR_SECONDS)
        except Exception:
            logger.warning("cache_away", exc_info=True)
    return totals


def _within(rows: CityTotalsQuerySet, bounds: TimeRange) -> dict[int, Totals]:
    """Return the totals, by city, of the readings within bounds.

    One query decides which files count, so that all of an answer is of one moment.
    """
    if bounds.start >= bounds.stop:
        return {}
    overlapping = rows.filter(
        last_at__gte=moment(bounds.start), first_at__lt=moment(bounds.stop)
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
    found: dict[int, Totals] = {}
    across: dict[tuple[uuid.UUID, int], list[int]] = defaultdict(list)
    for file_id, run, city_id, *values in overlapping:
        totals = _totals(values)
        if bounds.start <= totals.first_at and totals.last_at < bounds.stop:
            found[city_id] = found[city_id] + totals if city_id in found else totals
        else:
            across[file_id, run].append(city_id)
    stored = _stored(across)
    for file_run, cities in across.items():
        try:
            parts = read_cities(stored[file_run], cities, start=bounds.start, stop=bounds.stop)
        except (KeyError, OSError) as problem:
            raise Unavailable(AWAY) from problem
        for city_id, part in parts.items():
            found[city_id] = found[city_id] + part if city_id in found else part
    return found


def _stored(
    runs: Collection[tuple[uuid.UUID, int]],
) -> dict[tuple[uuid.UUID, int], StoredReadings]:
    """Return the objects that hold the readings of these runs over files."""
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


def _counting(client_id: int) -> CityTotalsQuerySet:
    return CityTotals.unscoped.filter(client_id=client_id).counting()


def _totals_of(row: Any) -> Totals:
    return _totals([row.readings, row.total, row.lowest, row.highest, row.first, row.last])


def _totals(values: Sequence[Any]) -> Totals:
    count, total, lowest, highest, first, last = values
    # MariaDB sums whole numbers into decimals.
    return Totals(
        count=int(count),
        sum_hundredths=int(total),
        min_hundredths=lowest,
        max_hundredths=highest,
        first_at=microseconds(first),
        last_at=microseconds(last),
    )
