"""A series is as exact as a statistic, whole files only, and limited to 10,000 points."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.core.cache import cache

from tests.factories import ClientFactory
from tests.temperatures.conftest import Receive
from tests.temperatures.statistics.test_cities import HOUR, NOON, lines
from tests.temperatures.uploads import CELSIUS
from timba.accounts.models import User
from timba.errors import Invalid, Unavailable
from timba.files.models import Derivative, File
from timba.files.services import delete_file
from timba.files.storage import store
from timba.temperatures.models import CityTotals
from timba.temperatures.readings import stored_readings
from timba.temperatures.statistics import caching, counted_files, series
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange, to_datetime
from timba.temperatures.statistics.series import Bucket, city_series

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

Points = list[tuple[int, ...]]
GetPoints = Callable[..., Points | None]


@pytest.fixture
def get_points(owner: User) -> GetPoints:
    """Return a function that computes the points of a city of the sawmill."""

    def get(
        bucket: Bucket = Bucket.HOUR, bounds: TimeRange = ALL_TIME, city_id: int = 7
    ) -> Points | None:
        result = city_series(
            client_id=owner.client_id, city_id=city_id, bucket=bucket, bounds=bounds
        )
        return None if result is None else [tuple(point) for point in result.points.T.tolist()]

    return get


@pytest.fixture(autouse=True)
def _clear_caches() -> None:
    series._cached.cache_clear()
    stored_readings.read_footer.cache_clear()


def count_opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the key of each object that is opened from now on is added."""
    opened: list[str] = []
    open_bytes = store().open_bytes

    def open_and_count(key: str) -> Any:
        opened.append(key)
        return open_bytes(key)

    monkeypatch.setattr(store(), "open_bytes", open_and_count)
    return opened


def points_one_by_one(readings: list[tuple[int, int, int]], bucket: Bucket, city: int) -> Points:
    """Return the points of a series, computed with datetimes and decimals."""
    buckets: dict[datetime, list[int]] = defaultdict(list)
    for number, at, hundredths in readings:
        if number == city:
            start = to_datetime(at).replace(minute=0, second=0, microsecond=0)
            buckets[start.replace(hour=0) if bucket is Bucket.DAY else start].append(hundredths)
    return [
        (
            (start - to_datetime(0)) // timedelta(microseconds=1),
            len(values),
            min(values),
            max(values),
            int((Decimal(sum(values)) / len(values)).quantize(Decimal(1), ROUND_HALF_UP)),
        )
        for start, values in sorted(buckets.items())
    ]


def test_a_series_contains_exactly_the_readings_between_its_bounds(
    settle: Receive, get_points: GetPoints
) -> None:
    rng = random.Random(8)
    everything = []
    for _ in range(4):
        begin = NOON + rng.randrange(-90, 90) * HOUR
        readings = [
            (rng.choice([7, 7, 8]), begin + rng.randrange(150) * HOUR // 3 - 1, degrees)
            for degrees in rng.choices([*range(-27315, 99999, 7), -5, 5], k=60)
        ]
        everything += readings
        settle(CELSIUS + lines(readings))
    moments = [at + nudge for _, at, _ in everything for nudge in (-1, 0, 1, HOUR)]
    for _ in range(15):
        start, stop = sorted(rng.choices(moments, k=2))
        inside = [row for row in everything if start <= row[1] < stop]
        for bucket in Bucket:
            points = get_points(bucket, TimeRange(start=start, stop=stop))
            assert points == points_one_by_one(inside, bucket, 7)


def test_a_time_before_1970_in_utc_is_in_the_hour_that_it_began(
    settle: Receive, get_points: GetPoints
) -> None:
    settle("7,1,1970-01-01T00:30+02:00\n7,2,1970-01-01T00:00\n")
    assert get_points() == [(-2 * HOUR, 1, 100, 100, 100), (0, 1, 200, 200, 200)]
    assert get_points(Bucket.DAY) == [(-24 * HOUR, 1, 100, 100, 100), (0, 1, 200, 200, 200)]


def test_the_mean_of_a_point_is_rounded_half_away_from_zero(
    settle: Receive, get_points: GetPoints
) -> None:
    settle(lines([(7, NOON, 1), (7, NOON, 2), (7, NOON + HOUR, -1), (7, NOON + HOUR, -2)]))
    assert get_points() == [(NOON, 2, 1, 2, 2), (NOON + HOUR, 2, -2, -1, -2)]


def test_a_city_without_any_reading_has_no_series(settle: Receive, get_points: GetPoints) -> None:
    assert get_points() is None
    settle("7,10,2025-06-01T12:00\n")
    assert get_points(city_id=8) is None
    assert get_points(city_id=2**70) is None
    assert get_points(bounds=TimeRange(start=NOON + 1)) == []
    assert get_points(bounds=TimeRange(start=NOON + 1, stop=NOON)) == []


def test_clients_have_series_of_their_own(settle: Receive, get_points: GetPoints) -> None:
    stranger = ClientFactory()
    settle("7,10,2025-06-01T12:00\n")
    assert get_points() == [(NOON, 1, 1000, 1000, 1000)]
    assert city_series(client_id=stranger.pk, city_id=7, bucket=Bucket.HOUR) is None


def test_a_series_has_at_most_10_000_points(settle: Receive, get_points: GetPoints) -> None:
    settle(lines([(7, NOON + hour * HOUR, hour) for hour in range(10_000)]))
    points = get_points()
    assert points is not None
    assert len(points) == 10_000
    settle(lines([(7, NOON - HOUR, 0)]))
    with pytest.raises(Invalid) as refusal:
        get_points()
    assert str(refusal.value) == (
        "The series would have more than 10,000 points. Ask for a shorter period, or for days."
    )
    days = get_points(Bucket.DAY)
    assert days is not None
    assert len(days) == 418


def test_reading_stops_when_there_are_too_many_points(
    settle: Receive, get_points: GetPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_POINTS", 10)
    monkeypatch.setattr(series, "MERGE_FROM", 40)
    for number in range(5):
        settle(lines([(7, NOON + (100 * number + hour) * HOUR, 0) for hour in range(60)]))
    opened = count_opened(monkeypatch)
    with pytest.raises(Invalid, match=r"^The series would have more than"):
        get_points()
    assert len(set(opened)) == 1


def test_a_file_within_one_bucket_counts_by_its_totals(
    settle: Receive, get_points: GetPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T12:59:59.999999\n")
    monkeypatch.setattr(store(), "open_bytes", None)
    assert get_points() == [(NOON, 2, 1000, 1100, 1050)]
    monkeypatch.undo()
    assert get_points(bounds=TimeRange(start=NOON + 1)) == [(NOON, 1, 1100, 1100, 1100)]
    assert get_points(bounds=TimeRange(stop=NOON + HOUR - 1)) == [(NOON, 1, 1000, 1000, 1000)]


def test_a_cached_series_costs_one_query_of_the_version(
    settle: Receive, get_points: GetPoints, django_assert_num_queries: Any
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    first = get_points()
    with django_assert_num_queries(1):
        assert get_points() == first
    settle("7,12,2025-06-01T14:00\n")
    assert get_points() != first


def test_a_slow_series_is_shared_with_other_processes_unless_it_is_large(
    settle: Receive, get_points: GetPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    first = get_points()
    series._cached.cache_clear()
    monkeypatch.setattr(store(), "open_bytes", None)
    assert get_points() == first
    monkeypatch.undo()
    cache.clear()
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    monkeypatch.setattr(caching, "MAX_SHARED_BYTES", 10)
    opened = count_opened(monkeypatch)
    for _ in range(2):
        series._cached.cache_clear()
        opened.clear()
        assert get_points() == first
        assert len(set(opened)) == 1


def test_a_cached_series_is_measured_by_its_bytes(settle: Receive, get_points: GetPoints) -> None:
    settle(lines([(7, NOON + hour * HOUR, hour) for hour in range(100)]))
    get_points()
    assert series._cached.size_bytes == 512 + 100 * 5 * 8


def test_a_file_that_is_erased_while_it_is_read_is_not_in_the_series(
    settle: Receive, get_points: GetPoints, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    going = settle("7,20,2025-06-01T12:00\n7,21,2025-06-01T14:00\n")
    read = series.iter_bucket_totals

    def read_too_late(*args: Any, **bounds: int) -> Any:
        file = File.unscoped.get(pk=going.pk)
        if file.deleted_at is None:
            delete_file(actor=owner, file=file)
            for derivative in Derivative.objects.filter(file=file):
                store().delete(derivative.storage_key)
        return read(*args, **bounds)

    monkeypatch.setattr(series, "iter_bucket_totals", read_too_late)
    assert get_points() == [(NOON, 1, 1000, 1000, 1000), (NOON + 2 * HOUR, 1, 1100, 1100, 1100)]


def test_readings_that_cannot_be_read_are_unavailable(
    settle: Receive, get_points: GetPoints
) -> None:
    file = settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    store().delete(file.derivatives.get(role=Derivative.Role.READINGS).storage_key)
    with pytest.raises(Unavailable, match=r"^Some readings cannot be read just now\."):
        get_points()


@pytest.mark.parametrize("bounds", [TimeRange(start=NOON), TimeRange(start=NOON, stop=NOON)])
def test_the_first_file_of_a_city_counts_wholly_or_not_at_all_while_it_settles(
    bounds: TimeRange,
    settle: Receive,
    get_points: GetPoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is settled between the query for readings within bounds and that for any reading."""
    settle("8,1,2025-06-01T12:00\n")
    find = counted_files._find_of_city
    coming = ["7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n"]

    def find_before_a_file_comes(*args: Any) -> Any:
        found = find(*args)
        if coming:
            settle(coming.pop())
        return found

    monkeypatch.setattr(counted_files, "_find_of_city", find_before_a_file_comes)
    points = get_points(Bucket.DAY, bounds)
    assert points == ([] if bounds.stop == NOON else [(NOON - 12 * HOUR, 2, 1000, 1100, 1050)])
    assert CityTotals.unscoped.filter(city_id=7).count() == 1
