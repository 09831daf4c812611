"""The list of cities has whole pages of whole files, and does not add up the cities of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import ClientFactory, UserFactory
from tests.temperatures.conftest import Receive
from tests.temperatures.statistics.test_cities import HOUR, NOON, lines
from timba.accounts.models import User
from timba.db.pagination import encode_cursor
from timba.errors import Invalid, Unavailable
from timba.files.models import File
from timba.files.services import delete_file
from timba.places.services import name_city
from timba.temperatures.statistics import city_list
from timba.temperatures.statistics.bounds import ALL_TIME, TimeRange
from timba.temperatures.statistics.city_list import Overview, get_overview, list_cities

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

LATER = TimeRange(start=NOON + 1)
Cities = list[tuple[int, int]]


def two_readings(city: int) -> list[tuple[int, int, int]]:
    return [(city, NOON, city), (city, NOON + HOUR, city)]


@pytest.fixture
def list_pages(owner: User) -> Callable[..., list[Cities]]:
    """Return a function that lists all pages, as (city, number of readings)."""

    def get(limit: int, bounds: TimeRange = ALL_TIME) -> list[Cities]:
        pages: list[Cities] = []
        cursor = None
        while not pages or cursor:
            page = list_cities(owner.client_id, limit=limit, cursor=cursor, bounds=bounds)
            pages.append([(c.city_id, c.totals.count if c.totals else 0) for c in page.rows])
            cursor = page.next_cursor
        return pages

    return get


@pytest.fixture(autouse=True)
def _clear_caches() -> None:
    city_list._cached_cities.cache_clear()
    city_list._cached_overview.cache_clear()


@pytest.mark.parametrize(("bounds", "count"), [(ALL_TIME, 2), (LATER, 1)])
@pytest.mark.parametrize("max_chunk", [1, 10_000])
def test_pages_are_full_whatever_lies_between_the_cities(
    bounds: TimeRange,
    count: int,
    max_chunk: int,
    settle: Receive,
    receive: Receive,
    owner: User,
    list_pages: Callable[..., list[Cities]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(city_list, "MAX_CHUNK", max_chunk)
    kept = [1, 2, 3, 40, 41, 90]
    settle(lines([row for city in kept for row in two_readings(city)]))
    deleted = settle(lines([row for city in range(1, 120) for row in two_readings(city)]))
    delete_file(actor=owner, file=deleted)
    receive(lines(two_readings(60)))
    assert list_pages(2, bounds) == [
        [(1, count), (2, count)],
        [(3, count), (40, count)],
        [(41, count), (90, count)],
    ]
    assert list_pages(4, bounds) == [[(n, count) for n in kept[:4]], [(n, count) for n in kept[4:]]]
    assert list_pages(6, bounds) == [[(n, count) for n in kept]]


def test_a_city_without_readings_within_the_bounds_is_listed_without_totals(
    settle: Receive, list_pages: Callable[..., list[Cities]]
) -> None:
    settle("7,10,2025-06-01T12:00\n8,10,2025-06-01T13:00\n")
    assert list_pages(9, LATER) == [[(7, 0), (8, 1)]]
    assert list_pages(9, TimeRange(start=NOON, stop=NOON)) == [[(7, 0), (8, 0)]]


@pytest.mark.parametrize(("bounds", "count"), [(ALL_TIME, 2), (LATER, 1)])
def test_a_file_settled_between_the_queries_counts_with_all_of_its_cities(
    bounds: TimeRange,
    count: int,
    settle: Receive,
    list_pages: Callable[..., list[Cities]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle(lines([row for city in (5, 7) for row in two_readings(city)]))
    coming = [lines([row for city in (1, 5, 6, 9) for row in two_readings(city)])]
    find = city_list._find_last

    def find_before_a_file_comes(*args: int) -> int | None:
        last = find(*args)
        if coming:
            settle(coming.pop())
        return last

    monkeypatch.setattr(city_list, "_find_last", find_before_a_file_comes)
    [page] = list_pages(9, bounds)
    assert page == [(1, count), (5, 2 * count), (6, count), (7, count), (9, count)]


def test_files_settled_and_deleted_while_a_page_within_bounds_is_read_count_whole_or_not_at_all(
    settle: Receive,
    owner: User,
    list_pages: Callable[..., list[Cities]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going = [settle(lines([row for city in (1, 2) for row in two_readings(city)]))]
    find = city_list.find_overlapping

    def find_after_files_came_and_went(*args: Any) -> Any:
        if going:
            settle(lines([*two_readings(3), (4, NOON, 0)]))
            delete_file(actor=owner, file=going.pop())
        return find(*args)

    monkeypatch.setattr(city_list, "find_overlapping", find_after_files_came_and_went)
    assert list_pages(9, LATER) == [[(3, 1), (4, 0)]]


def test_a_page_within_bounds_whose_data_change_again_and_again_is_unavailable(
    settle: Receive, list_pages: Callable[..., list[Cities]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(lines(two_readings(1)))
    coming = [lines(two_readings(city)) for city in (2, 3, 4)]
    find = city_list.find_overlapping

    def find_after_a_file_came(*args: Any) -> Any:
        settle(coming.pop())
        return find(*args)

    monkeypatch.setattr(city_list, "find_overlapping", find_after_a_file_came)
    with pytest.raises(Unavailable, match=r"^Some readings cannot be read just now\."):
        list_pages(9, LATER)
    assert coming == []


def test_cities_after_a_page_are_listed_though_its_last_ones_are_deleted_meanwhile(
    settle: Receive,
    owner: User,
    list_pages: Callable[..., list[Cities]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle(lines([row for city in (1, 9) for row in two_readings(city)]))
    going = settle(lines([row for city in (2, 3, 4) for row in two_readings(city)]))
    find = city_list._find_last

    def find_before_a_file_goes(*args: int) -> int | None:
        last = find(*args)
        if File.unscoped.get(pk=going.pk).deleted_at is None:
            delete_file(actor=owner, file=going)
        return last

    monkeypatch.setattr(city_list, "_find_last", find_before_a_file_goes)
    assert list_pages(2) == [[(1, 2)], [(9, 2)]]


def test_a_page_is_cached_until_the_data_change(
    settle: Receive,
    owner: User,
    list_pages: Callable[..., list[Cities]],
    django_assert_num_queries: Any,
) -> None:
    settle("7,10,2025-06-01T12:00\n8,10,2025-06-01T13:00\n")
    for bounds in (ALL_TIME, LATER):
        first = list_pages(9, bounds)
        with django_assert_num_queries(1):
            assert list_pages(9, bounds) == first
    size = city_list._cached_cities.size_bytes
    name_city(actor=owner, client=owner.client, city_id=7, name="Rīga")
    page = list_cities(owner.client_id, limit=9)
    assert [city.name for city in page.rows] == ["Rīga", None]
    assert city_list._cached_cities.size_bytes == size + 512 + 2 * 1024 + 4 * len("Rīga")


@pytest.mark.parametrize(
    "cursor",
    ["x", *(encode_cursor([n]) for n in (1.5, True, "1", -5, 0, 2**31, 10**18)), "WzFlMjNd"],
)
def test_only_a_cursor_of_a_page_is_accepted(cursor: str, settle: Receive, owner: User) -> None:
    settle("7,10,2025-06-01T12:00\n")
    with pytest.raises(Invalid, match=r"^This is not a cursor that Timba gave\.$"):
        list_cities(owner.client_id, limit=9, cursor=cursor)


@pytest.mark.parametrize("max_counted_rows", [0, 50_000])
def test_an_overview_tells_the_numbers_of_cities_and_readings(
    max_counted_rows: int,
    settle: Receive,
    receive: Receive,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(city_list, "MAX_COUNTED_ROWS", max_counted_rows)
    is_counted = max_counted_rows > 0
    assert get_overview(owner.client_id) == Overview(cities=0, readings=0)
    settle("9,1,2025-06-01T12:00\n", actor=UserFactory(client=ClientFactory()))
    settle("7,1,2025-06-01T12:00\n8,1,2025-06-01T12:00\n7,1,2025-06-01T13:00\nbad\n")
    assert get_overview(owner.client_id) == Overview(cities=2, readings=3)
    more = settle("8,2,2025-06-01T12:00\n9,2,2025-06-01T12:00\n")
    settle("no reading\n")
    receive("10,2,2025-06-01T12:00\n")
    assert get_overview(owner.client_id) == Overview(
        cities=3 if is_counted else 2, readings=5, is_exact=is_counted
    )
    delete_file(actor=owner, file=more)
    assert get_overview(owner.client_id) == Overview(cities=2, readings=3)
