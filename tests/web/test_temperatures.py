"""The page of temperatures: cities, statistics within bounds, names."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.test import Client as HttpClient
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.temperatures.uploads import settle_readings
from tests.web.conftest import show_more
from timba.accounts.models import User
from timba.files.services import delete_file
from timba.places.models import City
from timba.temperatures.statistics import city_list
from timba.web.periods import PERIOD_IN_SESSION

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
READINGS = (
    "7,-3.24,2026-11-18T06:00Z\n7,1.00,2026-11-19T06:00Z\n7,4.5,2026-11-20T06:00Z\n"
    "12,0,2026-11-20T06:00Z\n"
)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    settle_readings(READINGS, actor=owner)
    return browser_of(owner)


def test_without_readings_the_page_says_how_to_begin(make_user: MakeUser) -> None:
    assert "No readings yet" in browser_of(make_user()).get("/temperatures/").content.decode()


def test_cities_have_their_statistics_and_the_first_is_selected(http_client: HttpClient) -> None:
    page = http_client.get("/temperatures/").content.decode()
    assert "2\xa0cities, 4\xa0readings, °C" in page
    assert "−3.24 to 4.50" in page
    assert "mean 0.75" in page
    assert 'id="city-title">City 7' in page
    assert 'datetime="2026-11-18T06:00:00Z"' in page


@pytest.mark.parametrize(
    ("query", "count", "mean"),
    [
        ("", "3", "0.75"),
        ("?from=2026-11-19", "2", "2.75"),
        ("?from=2026-11-19T06:00:00.000001Z&to=2026-11-20T06:00:00Z", "0", ""),
        ("?to=2026-11-20T06:00:00.000Z", "2", "−1.12"),
        ("?from=2026-11-20T08:00:00%2B02:00", "1", "4.50"),
        ("?from=&to=", "3", "0.75"),
        ("?last=7d", "3", "0.75"),
        ("?last=24h", "1", "4.50"),
    ],
)
@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_statistics_cover_exactly_the_readings_within_the_bounds(
    http_client: HttpClient, query: str, count: str, mean: str
) -> None:
    page = http_client.get(f"/temperatures/7/{query}").content.decode()
    if count == "0":
        assert "No readings in this period" in page
    else:
        assert f"<dt>Readings</dt><dd>{count}</dd>" in page
        assert f"<dt>Mean</dt><dd>{mean} " in page


def shown_readings(http_client: HttpClient, path: str) -> str:
    """Return the number of readings in the period of the page."""
    page = http_client.get(path).content.decode()
    [number] = re.findall("<dt>Readings</dt><dd>([0-9]+)</dd>", page)
    return str(number)


@pytest.mark.parametrize(
    ("query", "kept", "count"),
    [
        ("last=24h", {"last": "24h"}, "1"),
        ("last=&from=2026-11-19", {"from": "2026-11-19T00:00:00Z"}, "2"),
        (
            "from=2026-11-18T02:00%2B02:00&to=2026-11-20",
            {"from": "2026-11-18T00:00:00Z", "to": "2026-11-20T00:00:00Z"},
            "2",
        ),
    ],
)
@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_a_period_is_remembered_until_another_is_chosen(
    http_client: HttpClient, query: str, kept: dict[str, str], count: str
) -> None:
    assert shown_readings(http_client, f"/temperatures/7/?{query}") == count
    assert http_client.session[PERIOD_IN_SESSION] == kept
    assert shown_readings(http_client, "/temperatures/") == count
    page = http_client.get("/temperatures/12/").content.decode()
    assert f'href="/temperatures/7/?{escape(urlencode(kept))}#city"' in page
    assert shown_readings(http_client, "/temperatures/7/?last=all") == "3"
    page = http_client.get("/temperatures/7/").content.decode()
    assert 'last=all#city" aria-current="true">All</a>' in page
    http_client.get(f"/temperatures/7/?{query}")
    assert shown_readings(http_client, "/temperatures/7/?last=&from=&to=") == "3"
    assert shown_readings(http_client, "/temperatures/7/") == "3"


def test_a_remembered_period_without_readings_offers_all_of_them(http_client: HttpClient) -> None:
    http_client.get("/temperatures/7/?to=2026-11-20")
    page = http_client.get("/temperatures/12/").content.decode()
    assert "No readings in this period" in page
    assert 'href="/temperatures/12/?last=all#city">Show all of them' in page
    assert "city-files" not in page


@pytest.mark.parametrize(
    ("query", "is_empty"),
    [
        ("from=2026-11-20&to=2026-11-10", True),
        ("from=2026-11-21&to=2026-11-21", True),
        ("from=2026-11-21", False),
    ],
)
def test_a_period_that_ends_before_it_begins_is_told(
    http_client: HttpClient, query: str, is_empty: bool
) -> None:
    page = http_client.get(f"/temperatures/7/?{query}").content.decode()
    assert ("The period ends before it begins" in page) is is_empty
    assert ("No readings in this period" in page) is not is_empty


@pytest.mark.parametrize("query", ["from=monday", "to=2026-13-01", "last=2y", "last=7d%00"])
def test_invalid_periods_are_rejected_and_not_remembered(
    http_client: HttpClient, query: str
) -> None:
    http_client.get("/temperatures/7/?last=7d")
    response = http_client.get(f"/temperatures/7/?{query}")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert http_client.session[PERIOD_IN_SESSION] == {"last": "7d"}


@pytest.mark.parametrize(
    "kept", [{"last": "2y"}, {"since": "x"}, {"from": 7}, {"last": []}, "7d", None, {}]
)
def test_a_period_kept_by_another_version_is_left_alone(
    http_client: HttpClient, kept: object
) -> None:
    session = http_client.session
    session[PERIOD_IN_SESSION] = kept
    session.save()
    assert shown_readings(http_client, "/temperatures/7/") == "3"
    assert http_client.session[PERIOD_IN_SESSION] == kept


def test_a_session_is_written_only_when_the_period_changes(http_client: HttpClient) -> None:
    def writes(query: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            http_client.get(f"/temperatures/7/?{query}")
        statements = [query["sql"] for query in queries if "django_session" in query["sql"]]
        return sum(statement.startswith("UPDATE") for statement in statements)

    queries = ("", "last=all", "last=7d", "last=7d", "", "last=all")
    assert [writes(query) for query in queries] == [0, 0, 1, 0, 0, 1]


def test_the_page_names_the_files_that_its_numbers_come_from(
    http_client: HttpClient, owner: User, make_user: MakeUser
) -> None:
    stranger = make_user(client=ClientFactory())
    settle_readings("7,9.00,2026-11-19T06:00Z\n", actor=stranger, name="strange.csv")
    for number in range(21):
        settle_readings(f"7,{number},2026-11-21T06:00Z\n", actor=owner, name=f"{number}.csv")
    deleted = settle_readings("7,1,2026-11-21T07:00Z\n", actor=owner, name="deleted.csv")
    delete_file(actor=owner, file=deleted)
    new = "7,1.00,2026-11-19T06:00Z\n12,2,2026-11-19T06:00Z\n"
    settle_readings(new, actor=owner, name="new.csv")
    page = http_client.get("/temperatures/7/").content.decode()
    assert '<a href="#city-files">Its 23\xa0files</a>' in page
    names = re.findall(r'<li><a href="/files/[-0-9a-f]+/">(.*?)</a>', page)
    assert names == ["new.csv", *(f"{number}.csv" for number in range(20, 1, -1))]
    assert "and 3 more" in page
    page = http_client.get("/temperatures/7/?to=2026-11-21").content.decode()
    assert '<a href="#city-files">Its 2\xa0files</a>' in page
    assert '>readings.csv</a><span class="num">3\xa0readings</span>' in page
    assert '>new.csv</a><span class="num">1\xa0reading</span>' in page
    assert " more</p>" not in page


def test_a_list_loads_the_sparkline_of_each_city(http_client: HttpClient) -> None:
    page = http_client.get("/temperatures/").content.decode()
    assert re.findall('class="spark" hx-get="([^"]+)"', page) == [
        "/temperatures/7/sparkline/",
        "/temperatures/12/sparkline/",
    ]


@pytest.mark.parametrize("city_id", [8, 0, 2**31, 2**70])
def test_city_without_readings_is_not_found(http_client: HttpClient, city_id: int) -> None:
    for response in (
        http_client.get(f"/temperatures/{city_id}/"),
        http_client.post(f"/temperatures/{city_id}/name/", {"name": "Nowhere"}),
    ):
        assert response.status_code == HTTPStatus.NOT_FOUND
    assert not City.unscoped.exists()


def test_foreign_cities_are_not_found(http_client: HttpClient, make_user: MakeUser) -> None:
    stranger = browser_of(make_user(client=ClientFactory()))
    assert "No readings yet" in stranger.get("/temperatures/").content.decode()
    assert stranger.get("/temperatures/7/").status_code == HTTPStatus.NOT_FOUND


def test_city_gets_a_name(http_client: HttpClient) -> None:
    page = http_client.get("/temperatures/7/?last=1y").content.decode()
    assert page.count('post="/temperatures/7/name/?last=1y"') == 1
    response = http_client.post("/temperatures/7/name/?last=1y", {"name": "Kuldīga"})
    assert response["Location"] == "/temperatures/7/?last=1y"
    page = http_client.get("/temperatures/").content.decode()
    assert "<b>Kuldīga</b>" in page
    assert 'Kuldīga <span class="soft">city 7</span>' in page


@pytest.mark.parametrize(
    ("name", "sentence"),
    [(" ", "A city needs a name."), ("x" * 101, "100 characters"), ("a\nb", "no line breaks")],
)
def test_invalid_name_is_rejected_in_place(
    http_client: HttpClient, name: str, sentence: str
) -> None:
    response = http_client.post("/temperatures/7/name/", {"name": name})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    page = response.content.decode()
    assert sentence in page
    assert '<details class="ask" open>' in page


def test_viewer_cannot_name_cities(http_client: HttpClient, make_user: MakeUser) -> None:
    viewer = browser_of(make_user("viewer"))
    assert "Give it a name" not in viewer.get("/temperatures/").content.decode()
    response = viewer.post("/temperatures/7/name/", {"name": "Kuldīga"})
    assert response.status_code == HTTPStatus.FORBIDDEN


def test_staff_choose_a_client_first(http_client: HttpClient, staff: User) -> None:
    ClientFactory()
    platform = browser_of(staff)
    assert "Choose a client" in platform.get("/temperatures/").content.decode()
    assert platform.get("/temperatures/7/").status_code == HTTPStatus.NOT_FOUND


def test_page_takes_the_same_queries_for_many_cities(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    lines = "".join(f"{city},1.0,2026-11-20T06:00Z\n" for city in range(1, 151))
    settle_readings(lines, actor=owner)
    http_client = browser_of(owner)
    for queries in (12, 6):  # the cities and the overview are cached after the first request
        with django_assert_num_queries(queries):
            page = http_client.get("/temperatures/").content.decode()
    assert "150\xa0cities, 150\xa0readings" in page
    period = "from=2026-11-20T06:00Z&to=2026-11-21"
    # Plus the data version, the statistics within the bounds, the name; and the session is written.
    for queries in (12, 7):
        with django_assert_num_queries(queries):
            http_client.get(f"/temperatures/7/?{period}")


def test_cities_of_very_many_totals_are_not_counted(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(city_list, "MAX_COUNTED_ROWS", 3)
    for hour in ("06", "07"):
        settle_readings(f"7,1,2026-11-20T{hour}:00Z\n8,1,2026-11-20T06:00Z\n", actor=owner)
    page = browser_of(owner).get("/temperatures/").content.decode()
    assert "At least 2\xa0cities, 4\xa0readings, °C" in page


def test_cities_are_paginated_by_number_and_the_selected_one_stays(owner: User) -> None:
    lines = "".join(f"{city},{city}.0,2026-11-20T06:00Z\n" for city in range(1, 151))
    settle_readings(lines, actor=owner)
    http_client = browser_of(owner)
    page = http_client.get("/temperatures/7/?last=1y").content.decode()
    rest = show_more(http_client, "/temperatures/7/", page)
    linked = [re.findall(r'<li><a href="/temperatures/(\d+)/', text) for text in (page, rest)]
    assert linked == [
        [str(city) for city in range(1, 101)],
        [str(city) for city in range(101, 151)],
    ]
    assert 'id="city-title">City 7' in rest
    assert '"/temperatures/140/?cursor=' in rest
    assert "Show the first" in rest
    assert "Show more" not in rest
    assert http_client.get("/temperatures/7/?cursor=x").status_code == HTTPStatus.BAD_REQUEST
