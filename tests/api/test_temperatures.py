"""The endpoints of temperatures, for programs and browsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.factories import ClientFactory, UserFactory
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import User
from timba.files.models import File
from timba.files.services import delete_file
from timba.files.storage import store
from timba.places.models import City
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics import cities

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

SEVEN = "/temperature-readings/7/"
SERIES = f"{SEVEN}series/?bucket=day"
FILE = (
    "city_id,temperature,timestamp\n"
    "7,21.50,2025-06-01T12:00:00Z\n"
    "7,-3.005,2025-06-01T13:00:00Z\n"
    "7,19,2025-06-02T00:00:00.5Z\n"
    "2147483647,0,2025-06-01T12:00:00Z\n"
)
ANSWER = {
    "city_id": 7,
    "name": None,
    "count": 3,
    "min_temp": -3.01,
    "max_temp": 21.5,
    # (21.50 - 3.01 + 19.00) / 3 = 37.49 / 3 = 12.4966…
    "mean_temp": 12.5,
    "first_at": "2025-06-01T12:00:00Z",
    "last_at": "2025-06-02T00:00:00.500000Z",
}
NONE = {"count": 0} | dict.fromkeys(["min_temp", "max_temp", "mean_temp", "first_at", "last_at"])


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    """Return the owner of a client that has uploaded one file."""
    user = make_user()
    settle_readings(FILE, actor=user)
    return user


@pytest.fixture
def api_client(owner: User) -> APIClient:
    """Return an API client that is signed in as the owner."""
    return api_client_of(owner)


def test_statistics_match_the_contract(api_client: APIClient) -> None:
    for url in (SEVEN, SEVEN.rstrip("/")):
        response = api_client.get(url)
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert response.json() == ANSWER
        assert list(response.json()) == list(ANSWER)
        assert api_client.post(url, {}).json() == ANSWER
        assert api_client.post(url, content_type="application/json").json() == ANSWER


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ({"from": "2025-06-01T12:00:00Z"}, 3),
        ({"from": "2025-06-01T12:00:00.000001Z"}, 2),
        ({"to": "2025-06-01T13:00:00Z"}, 1),
        ({"to": "2025-06-01T13:00:00.000001"}, 2),
        ({"from": "2025-06-01T14:30:00+02:00", "to": "2025-06-02"}, 1),
        ({"from": "2025-06-01T14:30:00 02:00", "to": "2025-06-02"}, 1),
        ({"from": "2025-06-02", "to": "2025-06-01"}, 0),
        ({"from": "0001-01-01", "to": "9999-12-31T23:59"}, 3),
        ({"from": "2099-01-01"}, 0),
    ],
)
def test_from_and_to_filter_at_every_endpoint(
    api_client: APIClient, bounds: dict[str, str], count: int
) -> None:
    response = api_client.get(SEVEN, bounds)
    assert response.status_code == 200
    assert response.json()["count"] == count
    assert api_client.post(SEVEN, bounds).json() == response.json()
    listed = api_client.get("/temperature-readings/", bounds).json()["cities"]
    assert listed[0] == response.json()
    if not count:
        assert response.json() == ANSWER | NONE


@pytest.mark.parametrize(
    ("url", "known"),
    [
        (SEVEN, "client_id, from, to"),
        (SERIES, "bucket, client_id, from, to"),
        ("/temperature-readings/", "client_id, cursor, from, limit, to"),
    ],
)
@pytest.mark.parametrize("name", ["form", "From", "to "])
def test_an_unknown_parameter_is_named(
    api_client: APIClient, url: str, known: str, name: str
) -> None:
    params = {"bucket": "day"} if url == SERIES else {}
    response = api_client.get(url, {**params, name: "2030-01-01"})
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    sentence = f"There is no such parameter, only {known}."
    assert response.json()["detail"] == f"{name}: {sentence}"
    assert response.json()["errors"] == {name: [sentence]}
    if url == SEVEN:
        assert api_client.post(url, {name: "2030-01-01"}).json() == response.json()


def test_parameters_of_a_post_stand_in_its_body(api_client: APIClient) -> None:
    response = api_client.post(f"{SEVEN}?from=2030-01-01", {})
    assert response.status_code == 400
    assert response.json()["detail"] == (
        "Give the parameters of a POST in its body, not in its address."
    )


def test_unescaped_plus_in_a_time_is_accepted(api_client: APIClient) -> None:
    response = api_client.get(f"{SEVEN}?from=2025-06-01T14:30:00+02:00")
    assert response.json()["count"] == 2


def test_series_match_the_contract(api_client: APIClient) -> None:
    for url in (SERIES, f"{SEVEN}series?bucket=day"):
        response = api_client.get(url)
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert response.json() == {
            "city_id": 7,
            "bucket": "day",
            "points": [
                # (21.50 - 3.01) / 2 = 9.245
                {"at": "2025-06-01T00:00:00Z", "count": 2, "min": -3.01, "max": 21.5, "mean": 9.25},
                {"at": "2025-06-02T00:00:00Z", "count": 1, "min": 19.0, "max": 19.0, "mean": 19.0},
            ],
        }


@pytest.mark.parametrize("bucket", ["", "Day", "week", "3600", "hour,day"])
def test_another_bucket_is_invalid(api_client: APIClient, bucket: str) -> None:
    for query in ({"bucket": bucket}, {}):
        response = api_client.get(f"{SEVEN}series/", query)
        assert response.status_code == 400
        assert response.json()["errors"] == {"bucket": ["Give hour or day."]}


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("text", ["", "yesterday", "2025-02-30", "2025-06-01T25:00", "1e3"])
def test_invalid_bound_is_named(api_client: APIClient, field: str, text: str) -> None:
    for response in (
        api_client.get(SEVEN, {field: text}),
        api_client.post(SEVEN, {field: text}),
        api_client.get(SERIES, {"bucket": "day", field: text}),
        api_client.get("/temperature-readings/", {field: text}),
    ):
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["errors"] == {field: ["Give a time such as 2025-06-01T12:00:00Z."]}


@pytest.mark.parametrize("value", [5, 1e308, True, [], {}, ["2025-06-01"]])
def test_bound_of_another_type_is_invalid(api_client: APIClient, value: Any) -> None:
    assert api_client.post(SEVEN, {"from": value}).status_code == 400
    assert api_client.post(SEVEN, {"from": None}).json() == ANSWER


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b'"x"', 400),
        (b"{", 400),
        (b'{"from": "\\u0000"}', 400),
        (b'{"from": "\\ud800"}', 400),
        (b'{"client_id": {}}', 400),
        (b'{"client_id": 1180591620717411303424}', 400),
    ],
)
def test_malformed_body_is_rejected(api_client: APIClient, body: bytes, status: int) -> None:
    response = api_client.post(SEVEN, body, content_type="application/json")
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    form = api_client.post(SEVEN, b"from=x", content_type="application/x-www-form-urlencoded")
    assert form.status_code == 415


@pytest.mark.parametrize("query", ["from=%00", "client_id=%00", "x=%00"])
def test_unstorable_text_is_rejected(api_client: APIClient, query: str) -> None:
    assert api_client.get(f"{SEVEN}?{query}").status_code == 400


@pytest.mark.parametrize("city", ["8", "0", "2147483648", str(2**70), "9" * 5000])
def test_a_city_without_readings_is_not_found(api_client: APIClient, city: str) -> None:
    responses = [
        api_client.get(f"/temperature-readings/{city}/"),
        api_client.get(f"/temperature-readings/{city}/", {"from": "2025-06-01"}),
        api_client.post(f"/temperature-readings/{city}/", {}),
    ]
    assert [response.status_code for response in responses] == [404, 404, 404]


def test_no_client_sees_anothers_readings(owner: User) -> None:
    stranger = UserFactory(client=ClientFactory())
    settle_readings("9,1,2025-06-01T12:00\n", actor=stranger)
    other = api_client_of(stranger)
    absent = other.get("/temperature-readings/5/")
    foreign = other.get(SEVEN)
    assert (foreign.status_code, foreign.content) == (absent.status_code, absent.content)
    assert [city["city_id"] for city in other.get("/temperature-readings/").json()["cities"]] == [9]
    for asked in (owner.client_id, 10**9):
        for response in (
            other.get("/temperature-readings/9/", {"client_id": asked}),
            other.post("/temperature-readings/9/", {"client_id": asked}),
            other.get(SERIES, {"client_id": asked}),
            other.get("/temperature-readings/", {"client_id": asked}),
            other.put("/api/cities/9/", {"name": "x", "client_id": asked}),
        ):
            assert response.status_code == 404
            assert response.json()["detail"] == "There is no such client."


def test_staff_give_the_client_of_the_readings(owner: User, staff: User) -> None:
    api_client = api_client_of(staff)
    mine = {"client_id": owner.client_id}
    assert api_client.get(SEVEN, mine).json() == ANSWER
    assert api_client.post(SEVEN, mine).json() == ANSWER
    assert api_client.get(f"{SERIES}&client_id={owner.client_id}").json()["city_id"] == 7
    assert len(api_client.get("/temperature-readings/", mine).json()["cities"]) == 2
    assert api_client.put("/api/cities/7/", {"name": "Riga", **mine}).status_code == 200
    for response in (
        api_client.get(SEVEN),
        api_client.post(SEVEN, {}),
        api_client.get(SERIES),
        api_client.get("/temperature-readings/"),
        api_client.put("/api/cities/7/", {"name": "Riga"}),
    ):
        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["client_id"]


@pytest.mark.parametrize("url", [SEVEN, SERIES, "/temperature-readings/"])
def test_anonymous_requests_for_temperatures_are_401(api_client: APIClient, url: str) -> None:
    etag = api_client.get(url)["ETag"]
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}):
        response = APIClient().get(url, headers={"If-None-Match": etag, **headers})
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"
        assert "ETag" not in response
    page = Browser().get(url, headers={"Accept": "text/html"})
    assert (page.status_code, page["Location"]) == (302, f"/login/?next={quote(url, safe='')}")


def test_session_is_accepted(owner: User) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(owner, backend="timba.accounts.sign_in.MemberBackend")
    assert browser.get(SEVEN).json() == ANSWER
    assert browser.head(SEVEN).status_code == 200
    assert browser.post(SEVEN, {}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("url", [SEVEN, SERIES, "/temperature-readings/"])
def test_unchanged_response_is_304(api_client: APIClient, owner: User, url: str) -> None:
    first = api_client.get(url)
    etag = first["ETag"]
    same = api_client.get(url, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    bounded = {"from": "2025-06-02"} | ({"bucket": "day"} if url == SERIES else {})
    assert api_client.get(url, bounded)["ETag"] != etag
    anything = api_client.get(url, headers={"If-None-Match": "*"})
    assert (anything.status_code, anything["ETag"]) == (304, etag)
    settle_readings("7,5,2025-06-01T12:00\n", actor=owner)
    changed = api_client.get(url, headers={"If-None-Match": etag})
    assert (changed.status_code, changed["ETag"] != etag) == (200, True)


@pytest.mark.parametrize("url", [SEVEN, SERIES, "/temperature-readings/"])
@pytest.mark.parametrize(
    ("header", "value"),
    [("If-Match", '"other"'), ("If-Unmodified-Since", "Sun, 01 Jun 2025 12:00:00 GMT")],
)
def test_conditions_of_changes_mean_nothing_to_a_read(
    api_client: APIClient, url: str, header: str, value: str
) -> None:
    response = api_client.get(url, headers={header: value})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_first_response_after_a_change_counts_it(api_client: APIClient, owner: User) -> None:
    assert api_client.get(SEVEN).json()["count"] == 3
    more = settle_readings("7,5,2025-06-01T12:00\n", actor=owner)
    assert api_client.get(SEVEN).json()["count"] == 4
    delete_file(actor=owner, file=more)
    assert api_client.get(SEVEN).json() == ANSWER


def test_the_cities_are_listed_by_number_page_by_page(api_client: APIClient, owner: User) -> None:
    settle_readings("".join(f"{n},{n},2025-06-01T12:00\n" for n in range(1, 8)), actor=owner)
    api_client.put("/api/cities/3/", {"name": "Kuldīga"})
    whole = api_client.get("/temperature-readings/").json()
    assert list(whole) == ["cities", "next"]
    assert whole["next"] is None
    assert [city["city_id"] for city in whole["cities"]] == [*range(1, 8), 2147483647]
    for city in whole["cities"]:
        assert api_client.get(f"/temperature-readings/{city['city_id']}/").json() == city
    assert whole["cities"][2]["name"] == "Kuldīga"
    paged, url = [], "/temperature-readings/?limit=3"
    while url:
        part = api_client.get(url).json()
        assert len(part["cities"]) <= 3
        paged += part["cities"]
        url = part["next"]
    assert paged == whole["cities"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor="])
def test_invalid_page_is_rejected(api_client: APIClient, query: str) -> None:
    assert api_client.get(f"/temperature-readings/?{query}").status_code == 400


@pytest.mark.parametrize(
    ("bounds", "queries"), [({}, 6), ({"from": "2025-06-01T12:30", "to": "2025-06-03"}, 9)]
)
def test_list_takes_a_constant_number_of_queries(
    api_client: APIClient,
    owner: User,
    bounds: dict[str, str],
    queries: int,
    django_assert_num_queries: Any,
) -> None:
    settle_readings("".join(f"{n},{n},2025-06-01T12:00\n" for n in range(1, 90)), actor=owner)
    with django_assert_num_queries(queries):
        assert len(api_client.get("/temperature-readings/", bounds).json()["cities"]) == 90


def test_list_within_bounds_shows_all_or_none_of_a_file_added_meanwhile(
    api_client: APIClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = City.unscoped.names
    coming = ["6,1,2025-06-01T12:00\n7,99,2025-06-01T12:00\n"]

    def names_while_a_file_comes(**query: Any) -> dict[int, str]:
        if coming:
            settle_readings(coming.pop(), actor=owner)
        return names(**query)

    monkeypatch.setattr(City.unscoped, "names", names_while_a_file_comes)
    cities = api_client.get("/temperature-readings/", {"from": "2025-06-01"}).json()["cities"]
    assert [(city["city_id"], city["count"]) for city in cities][:1] == [(7, 3)]


def test_list_tolerates_a_file_deleted_meanwhile(
    api_client: APIClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = settle_readings("7,1,2025-06-01T12:00\n7,1,2025-06-03T12:00\n", actor=owner)
    read = cities.read_cities

    def read_too_late(*args: Any, **bounds: int) -> dict[int, Totals]:
        file = File.unscoped.get(pk=going.pk)
        if file.deleted_at is None:
            delete_file(actor=owner, file=file)
            for derivative in file.derivatives.all():
                store().delete(derivative.storage_key)
        return read(*args, **bounds)

    monkeypatch.setattr(cities, "read_cities", read_too_late)
    response = api_client.get("/temperature-readings/", {"from": "2025-06-02"})
    assert [(city["city_id"], city["count"]) for city in response.json()["cities"]][:1] == [(7, 1)]


def test_a_city_is_named_and_named_again(api_client: APIClient) -> None:
    for name in ("Kuldīga", "  Rīga ", "東京 🌲"):
        response = api_client.put("/api/cities/7/", {"name": name})
        assert (response.status_code, response.json()) == (
            200,
            {"city_id": 7, "name": name.strip()},
        )
        assert api_client.get(SEVEN).json() == ANSWER | {"name": name.strip()}
    unknown = api_client.put("/api/cities/5/", {"name": "A number is enough"})
    assert unknown.status_code == 200
    assert api_client.get("/temperature-readings/5/").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " "}, {"name": None}, {"name": []}, {"name": "x" * 101}]
)
def test_invalid_city_name_is_rejected(api_client: APIClient, body: dict[str, Any]) -> None:
    response = api_client.put("/api/cities/7/", body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["name"]


@pytest.mark.parametrize("city", ["0", "2147483648", str(2**70)])
def test_invalid_city_number_is_rejected(api_client: APIClient, city: str) -> None:
    assert api_client.put(f"/api/cities/{city}/", {"name": "x"}).status_code == 404


def test_viewer_reads_but_cannot_name_a_city(owner: User, make_user: Callable[..., User]) -> None:
    viewer = api_client_of(make_user(role="viewer"))
    assert viewer.get(SEVEN).json() == ANSWER
    assert viewer.post(SEVEN, {}).json() == ANSWER
    assert viewer.put("/api/cities/7/", {"name": "x"}).status_code == 403
    operator = api_client_of(make_user(role="operator"))
    assert operator.put("/api/cities/7/", {"name": "x"}).status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_not_allowed(api_client: APIClient, method: str) -> None:
    response = getattr(api_client, method)(SEVEN)
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert api_client.get("/api/cities/7/").status_code == 405
