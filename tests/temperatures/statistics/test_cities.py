"""Statistics are exact, of whole files only, and never stale."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from tests.factories import ClientFactory, UserFactory
from tests.temperatures.conftest import Receive
from tests.temperatures.readings.test_totals import by_city, total_one_by_one
from tests.temperatures.uploads import CELSIUS
from timba.accounts.models import User
from timba.errors import Forbidden, Invalid, Lapsed, NotFound, Unavailable
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.services import delete_file, retry_file
from timba.files.storage import store
from timba.places.services import name_city
from timba.temperatures import processor
from timba.temperatures.models import CityTotals
from timba.temperatures.readings.stored_readings import read_footer
from timba.temperatures.readings.totals import Totals
from timba.temperatures.services import stage_totals
from timba.temperatures.statistics import caching, cities, city_list
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange, parse_timestamp, to_datetime
from timba.temperatures.statistics.cities import CityStatistics, city_statistics
from timba.temperatures.statistics.city_list import list_cities

pytestmark = pytest.mark.django_db

HOUR = 3_600_000_000
NOON = parse_timestamp("2025-06-01T12:00")

GetStatistics = Callable[..., CityStatistics | None]


@pytest.fixture
def get_statistics(owner: User) -> GetStatistics:
    """Return a function that computes the statistics of a city of the sawmill."""

    def get(city_id: int = 7, bounds: TimeRange = ALL_TIME) -> CityStatistics | None:
        return city_statistics(client_id=owner.client_id, city_id=city_id, bounds=bounds)

    return get


@pytest.fixture(autouse=True)
def _clear_caches() -> None:
    cities._cached.cache_clear()
    city_list._cached_cities.cache_clear()
    read_footer.cache_clear()


def lines(readings: list[tuple[int, int, int]]) -> str:
    """Return the lines of a file of (city, microseconds, hundredths)."""
    return "".join(
        f"{city},{'-' * (degrees < 0)}{abs(degrees) // 100}.{abs(degrees) % 100:02d},"
        f"{to_datetime(at).isoformat()}\n"
        for city, at, degrees in readings
    )


def count(result: CityStatistics | None) -> int:
    assert result is not None
    return result.totals.count if result.totals else 0


def test_a_city_adds_up_over_all_files(settle: Receive, get_statistics: GetStatistics) -> None:
    settle("7,10,2025-06-01T12:00\n7,-20.01,2025-06-01T13:00\n8,1,2025-06-01T12:00\n")
    settle("7,10.02,2025-05-01T12:00\n")
    assert get_statistics() == CityStatistics(
        city_id=7,
        name=None,
        totals=Totals(
            count=3,
            sum_hundredths=1,
            min_hundredths=-2001,
            max_hundredths=1002,
            first_at=parse_timestamp("2025-05-01T12:00"),
            last_at=NOON + HOUR,
        ),
    )


def test_a_city_without_any_reading_has_no_statistics(
    settle: Receive, get_statistics: GetStatistics
) -> None:
    assert get_statistics() is None
    settle("7,10,2025-06-01T12:00\n")
    assert get_statistics(8) is None
    assert get_statistics(8, TimeRange(start=NOON)) is None
    assert get_statistics(0) is None
    assert get_statistics(2**70) is None


def test_a_city_without_readings_within_the_bounds_has_no_totals(
    settle: Receive, get_statistics: GetStatistics
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    empty = CityStatistics(city_id=7, name=None, totals=None)
    assert get_statistics(bounds=TimeRange(stop=NOON)) == empty
    assert get_statistics(bounds=TimeRange(start=NOON + 1, stop=NOON + 2 * HOUR)) == empty
    assert get_statistics(bounds=TimeRange(start=NOON, stop=NOON)) == empty
    assert get_statistics(bounds=TimeRange(start=NOON + HOUR, stop=NOON)) == empty
    assert get_statistics(bounds=TimeRange(start=NOON + 2 * HOUR + 1)) == empty


def test_bounds_contain_exactly_the_readings_between_them(
    settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    rng = random.Random(5)
    everything = []
    for _ in range(4):
        begin = NOON + rng.randrange(100) * HOUR
        readings = [
            (rng.choice([7, 7, 8]), begin + rng.randrange(40) * HOUR // 2, degrees)
            for degrees in rng.choices(range(-27315, 99999), k=60)
        ]
        everything += readings
        settle(CELSIUS + lines(readings))
    moments = [at + nudge for _, at, _ in everything for nudge in (-1, 0, 1)]
    for _ in range(15):
        start, stop = sorted(rng.choices(moments, k=2))
        bounds = rng.choice(
            [TimeRange(start=start, stop=stop), TimeRange(start=start), TimeRange(stop=stop)]
        )
        inside = [row for row in everything if bounds.start <= row[1] < bounds.stop]
        expected = total_one_by_one(inside)
        for city in (7, 8):
            result = get_statistics(city, bounds)
            assert result is not None
            assert result.totals == expected.get(city)
        listed = list_cities(owner.client_id, limit=9, bounds=bounds).rows
        assert {city.city_id: city.totals for city in listed} == {
            city: expected.get(city) for city in (7, 8)
        }


def test_only_processed_files_that_are_not_deleted_count(
    receive: Receive, settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    settle("7,10,2025-06-01T12:00\n")
    waiting = receive("7,20,2025-06-01T12:00\n")
    assert count(get_statistics()) == 1
    assert process_file(waiting.pk)
    assert count(get_statistics()) == 2
    failed = settle("no reading\n")
    assert failed.status == File.Status.FAILURE
    assert count(get_statistics()) == 2
    waiting.refresh_from_db()
    delete_file(actor=owner, file=waiting)
    assert count(get_statistics()) == 1


def test_staged_totals_of_another_run_do_not_count(
    settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    file = settle("7,10,2025-06-01T12:00\n")
    stray = by_city([(city, at, 0) for city in (7, 8) for at in range(NOON, NOON + 9)])
    stage_totals(
        client_id=owner.client_id,
        file_id=file.pk,
        run=file.run + 1,
        cities=stray,
        writing=transaction.atomic,
    )
    assert count(get_statistics()) == 1
    assert count(get_statistics(bounds=TimeRange(start=NOON))) == 1
    assert get_statistics(8) is None
    assert [city.city_id for city in list_cities(owner.client_id, limit=9).rows] == [7]


def test_staged_totals_of_a_failed_file_do_not_count(
    settle: Receive, get_statistics: GetStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(processor.Outcome, "add_cities", fail)
    file = settle("7,10,2025-06-01T12:00\n")
    assert file.status == File.Status.FAILURE
    assert CityTotals.unscoped.filter(file=file).exists()
    assert get_statistics() is None
    assert get_statistics(bounds=TimeRange(start=NOON)) is None


def test_a_statistic_includes_every_file_settled_before_it(
    settle: Receive, get_statistics: GetStatistics, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    files = []
    bounds = TimeRange(start=NOON - 1, stop=NOON + 1)
    for number in range(1, 4):
        files.append(settle(f"7,{number},2025-06-01T12:00\n7,{number},2025-06-02T12:00\n"))
        assert count(get_statistics()) == 2 * number
        assert count(get_statistics(bounds=bounds)) == number
    for file in files:
        delete_file(actor=owner, file=file)
        left = 3 - files.index(file) - 1
        assert (count(get_statistics()) if left else get_statistics()) == (2 * left or None)
        assert (
            count(get_statistics(bounds=bounds)) if left else get_statistics(bounds=bounds)
        ) == (left or None)


def test_a_retried_file_counts_once(
    receive: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    file = receive("7,10,2025-06-01T12:00\n")
    bytes_of = store()._final(file.storage_key)
    content = bytes_of.read_bytes()
    bytes_of.write_bytes(b"other")
    assert process_file(file.pk)
    file.refresh_from_db()
    assert file.status == File.Status.FAILURE
    assert get_statistics() is None
    bytes_of.write_bytes(content)
    retry_file(actor=owner, file=file)
    assert process_file(file.pk)
    assert count(get_statistics()) == 1


def test_a_cached_statistic_costs_one_query_of_the_version(
    settle: Receive, get_statistics: GetStatistics, django_assert_num_queries: Any
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    for bounds in (ALL_TIME, TimeRange(start=NOON + 1)):
        first = get_statistics(bounds=bounds)
        with django_assert_num_queries(1):
            assert get_statistics(bounds=bounds) == first


def test_without_bounds_no_readings_are_read(
    settle: Receive,
    get_statistics: GetStatistics,
    django_assert_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    monkeypatch.setattr(store(), "open_bytes", None)
    with django_assert_num_queries(2):  # the version, the sums with the name
        assert count(get_statistics()) == 2
    assert count(get_statistics(bounds=TimeRange(start=NOON, stop=NOON + 3 * HOUR))) == 2


@pytest.mark.only_on("sqlite")
def test_a_slow_statistic_is_shared_with_other_processes(
    settle: Receive, get_statistics: GetStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    bounds, empty = TimeRange(start=NOON + 1), TimeRange(start=NOON + 1, stop=NOON + 2)
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    first = get_statistics(bounds=bounds), get_statistics(bounds=empty)
    cities._cached.cache_clear()
    monkeypatch.setattr(store(), "open_bytes", None)
    assert (get_statistics(bounds=bounds), get_statistics(bounds=empty)) == first


@pytest.mark.only_on("sqlite")
def test_nothing_computed_before_there_was_any_data_is_cached_or_shared(
    settle: Receive, get_statistics: GetStatistics, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first readings of a client count between two queries of one statistic."""
    stranger = ClientFactory()
    bounds = TimeRange(start=NOON + 1)
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    look = cities.get_data_version

    def read_version_too_early(client_id: int) -> uuid.UUID | None:
        version = look(client_id)
        if version is None and client_id == owner.client_id:
            settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
        return version

    monkeypatch.setattr(cities, "get_data_version", read_version_too_early)
    assert get_statistics(bounds=bounds) is None
    assert city_statistics(client_id=stranger.pk, city_id=7, bounds=bounds) is None
    assert count(get_statistics(bounds=bounds)) == 1


@pytest.mark.only_on("sqlite")
def test_a_page_of_cities_opens_each_file_once(
    settle: Receive, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(3):
        settle(lines([(city, NOON + hour + at, city) for at in (0, HOUR) for city in range(1, 6)]))
    bounds = TimeRange(start=NOON + 1, stop=NOON + HOUR + 2)
    list_cities(owner.client_id, limit=9, bounds=bounds)  # caches the footers
    city_list._cached_cities.cache_clear()
    opened: list[str] = []
    open_bytes = store().open_bytes

    def open_and_count(key: str) -> Any:
        opened.append(key)
        return open_bytes(key)

    monkeypatch.setattr(store(), "open_bytes", open_and_count)
    listed = list_cities(owner.client_id, limit=9, bounds=bounds).rows
    assert [city.totals and city.totals.count for city in listed] == [4] * 5
    assert sorted(opened) == sorted(set(opened))
    assert len(opened) == 2  # the second file lies inside the bounds and counts by its totals


@pytest.mark.only_on("sqlite")
def test_statistics_are_computed_while_the_cache_is_unavailable(
    settle: Receive, get_statistics: GetStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise ConnectionError

    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    monkeypatch.setattr(caching, "SHARE_FROM_SECONDS", 0)
    monkeypatch.setattr(cache, "get", unavailable)
    monkeypatch.setattr(cache, "set", unavailable)
    assert count(get_statistics(bounds=TimeRange(start=NOON + 1))) == 1


@pytest.mark.only_on("sqlite")
def test_a_file_that_is_erased_while_it_is_read_no_longer_counts(
    settle: Receive, get_statistics: GetStatistics, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    going = settle("7,20,2025-06-01T12:00\n7,21,2025-06-01T14:00\n")
    read = cities.read_cities

    def read_too_late(*args: Any, **bounds: int) -> dict[int, Totals]:
        file = File.unscoped.get(pk=going.pk)
        if file.deleted_at is None:
            delete_file(actor=owner, file=file)
            for derivative in Derivative.objects.filter(file=file):
                store().delete(derivative.storage_key)
        return read(*args, **bounds)

    monkeypatch.setattr(cities, "read_cities", read_too_late)
    result = get_statistics(bounds=TimeRange(start=NOON + 1))
    assert result is not None
    assert result.totals is not None
    assert (result.totals.count, result.totals.max_hundredths) == (1, 1100)


@pytest.mark.only_on("sqlite")
def test_readings_that_cannot_be_read_are_unavailable(
    settle: Receive, get_statistics: GetStatistics
) -> None:
    file = settle("7,10,2025-06-01T12:00\n7,11,2025-06-01T14:00\n")
    key = file.derivatives.get(role=Derivative.Role.READINGS).storage_key
    content = store()._final(key).read_bytes()
    store().delete(key)
    with pytest.raises(Unavailable, match=r"^Some readings cannot be read just now\."):
        get_statistics(bounds=TimeRange(start=NOON + 1))
    store()._final(key).write_bytes(content)
    assert count(get_statistics(bounds=TimeRange(start=NOON + 1))) == 1


def test_statistics_of_clients_are_separate(
    settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    stranger = UserFactory(client=ClientFactory())
    settle("7,10,2025-06-01T12:00\n")
    settle("7,10,2025-06-01T12:00\n9,10,2025-06-01T12:00\n", actor=stranger)
    name_city(actor=stranger, client=stranger.client, city_id=7, name="Kuldīga")
    assert get_statistics() == CityStatistics(
        city_id=7,
        name=None,
        totals=Totals(
            count=1,
            sum_hundredths=1000,
            min_hundredths=1000,
            max_hundredths=1000,
            first_at=NOON,
            last_at=NOON,
        ),
    )
    assert get_statistics(9) is None
    assert [city.city_id for city in list_cities(owner.client_id, limit=9).rows] == [7]
    assert CityTotals.objects.visible_to(owner).count() == 1
    assert CityTotals.objects.visible_to(stranger).count() == 2
    assert not CityTotals.objects.all().exists()


def test_a_new_name_is_in_the_next_statistic(
    settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    settle("7,10,2025-06-01T12:00\n")
    for name in ("Kuldīga", "Kuldiga (yard 2)"):
        assert get_statistics() is not None
        name_city(actor=owner, client=owner.client, city_id=7, name=name)
        result = get_statistics()
        assert result is not None
        assert result.name == name
    assert [city.name for city in list_cities(owner.client_id, limit=9).rows] == [name]


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (" ", "A city needs a name."),
        ("x" * 101, "A name has at most 100 characters."),
        ("a\nb", "A name has no line breaks or other control characters."),
    ],
)
def test_an_invalid_name_is_refused(owner: User, name: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        name_city(actor=owner, client=owner.client, city_id=7, name=name)
    assert refusal.value.fields == {"name": [sentence]}


def test_only_who_may_write_files_of_the_client_names_cities(
    make_user: Callable[..., User], owner: User
) -> None:
    name_city(actor=make_user(role="operator"), client=owner.client, city_id=7, name="Riga")
    with pytest.raises(Forbidden):
        name_city(actor=make_user(role="viewer"), client=owner.client, city_id=7, name="Riga")
    with pytest.raises(NotFound):
        name_city(actor=UserFactory(), client=owner.client, city_id=7, name="Riga")
    with pytest.raises(NotFound):
        name_city(actor=owner, client=owner.client, city_id=0, name="Riga")
    owner.client.subscription.current_period_end = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(Lapsed):
        name_city(actor=owner, client=owner.client, city_id=7, name="Riga")


@pytest.mark.django_db(transaction=True)
def test_no_statistic_includes_half_a_file_while_files_are_added_and_deleted(
    settle: Receive, get_statistics: GetStatistics, owner: User
) -> None:
    settle("7,0,2025-06-01T12:00\n7,2,2025-06-03T12:00\n")
    stop = threading.Event()

    def watch(bounds: TimeRange) -> set[tuple[int, int]]:
        seen = set()
        while not stop.is_set():
            result = get_statistics(bounds=bounds)
            assert result is not None
            assert result.totals is not None
            seen.add((result.totals.count, result.totals.sum_hundredths))
        connection.close()
        return seen

    across = TimeRange(start=NOON, stop=NOON + 72 * HOUR)
    with ThreadPoolExecutor() as threads:
        watchers = [threads.submit(watch, bounds) for bounds in (ALL_TIME, across)]
        try:
            for number in range(4):
                both = f"7,{number},2025-06-01T12:00\n7,{number},2025-06-02T12:00\n"
                file = settle(f"{both}7,0,2025-05-01T12:00\n")
                assert count(get_statistics()) == 5
                assert count(get_statistics(bounds=across)) == 4
                delete_file(actor=owner, file=file)
                assert count(get_statistics()) == 2
        finally:
            stop.set()
        ever, bounded = (watcher.result() for watcher in watchers)
    assert ever <= {(2, 200), *((5, 200 + 200 * number) for number in range(4))}
    assert bounded <= {(2, 200), *((4, 200 + 200 * number) for number in range(4))}
    assert len(ever | bounded) > 2
