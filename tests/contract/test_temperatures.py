"""“Temperatures”: uploads, statistics, duplicates, and responses that are never stale."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.conftest import ProcessPending
from tests.contract.responses import UUID, assert_problem
from tests.contract.uploads import (
    FOUR_READINGS,
    UPLOAD_FIELDS,
    form_file,
    gzipped_form_file,
    upload,
    upload_and_process,
)
from tests.factories import ClientFactory
from tests.files.samples import photo
from timba.accounts.models import User

pytestmark = pytest.mark.django_db

CITY = [
    "city_id", "name", "count", "min_temp", "max_temp", "mean_temp", "first_at", "last_at",
]  # fmt: skip


# --- Uploads -------------------------------------------------------------------------------------


def test_get_upload_is_the_page_with_the_form(owner: User) -> None:
    browser = Browser(headers={"accept": "text/html"})
    browser.force_login(owner)
    page = browser.get("/upload/")
    assert page.status_code == 200
    assert b'type="file"' in page.content


@pytest.mark.parametrize("name", ["readings.csv", "readings.txt", "readings", "r.dat", "Ķ.CSV"])
def test_an_upload_is_201_with_its_ids(
    name: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    response = upload(api_client, form_file(FOUR_READINGS, name))
    assert response.status_code == 201
    payload = response.json()
    assert list(payload) == ["file_id", "task_id", "file_url", "status"]
    assert UUID.fullmatch(payload["file_id"])
    assert UUID.fullmatch(payload["task_id"])
    assert payload["file_url"] == f"/api/files/{payload['file_id']}/content/"
    assert payload["status"] == "PENDING"
    assert process_pending() == 1
    assert api_client.get("/temperature-readings/7/").json()["count"] == 3


def test_a_form_without_a_file_is_400(api_client: APIClient) -> None:
    for form in ({}, {"other": form_file(FOUR_READINGS)}, {"file": "no file"}):
        problem = assert_problem(api_client.post("/upload/", form, format="multipart"), 400)
        assert problem["errors"].keys() == {"file"}


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(lambda: form_file(photo()), id="a photo"),
        pytest.param(lambda: form_file(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), id="a PDF"),
        pytest.param(lambda: form_file(bytes(range(256)) * 4), id="bytes of every kind"),
        pytest.param(lambda: form_file(b""), id="an empty file"),
        pytest.param(lambda: gzipped_form_file(photo()), id="a photo in an archive"),
        pytest.param(
            lambda: form_file(b"\x1f\x8b\x08nonsense" * 9, "r.csv.gz"), id="a broken archive"
        ),
    ],
)
def test_bytes_that_are_neither_text_nor_gzipped_text_are_400(
    file: Any, api_client: APIClient
) -> None:
    problem = assert_problem(upload(api_client, file()), 400)
    assert "readings.csv" in problem["detail"] or "r.csv.gz" in problem["detail"]


# --- Statistics ----------------------------------------------------------------------------------


def test_a_citys_statistics_have_exactly_these_fields(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    # (21.50 - 3.25 + 4.00) / 3 = 22.25 / 3 = 7.41666…
    expected = {
        "city_id": 7,
        "name": None,
        "count": 3,
        "min_temp": -3.25,
        "max_temp": 21.5,
        "mean_temp": 7.42,
        "first_at": "2026-01-01T12:00:00Z",
        "last_at": "2026-01-03T12:00:00Z",
    }
    response = api_client.get("/temperature-readings/7/")
    assert response.status_code == 200
    assert response.json() == expected
    assert list(response.json()) == CITY
    assert api_client.post("/temperature-readings/7/", {}).json() == expected


@pytest.mark.parametrize(
    ("temperatures", "mean"),
    [
        (["0.01", "0.02"], 0.02),  # 0.015, half away from zero
        (["-0.01", "-0.02"], -0.02),  # -0.015
        (["0.01", "0", "0"], 0.0),  # 0.00333…
        (["1.00", "1.01", "1.01", "1.00"], 1.01),  # 1.005, which no float represents
        (["999.99", "-273.15"], 363.42),  # exactly
    ],
)
def test_the_mean_is_exact_and_rounded_half_away_from_zero(
    temperatures: list[str], mean: float, api_client: APIClient, process_pending: ProcessPending
) -> None:
    lines = ["city_id,temperature (°C),timestamp"]
    lines += [f"7,{t},2026-01-01T00:00:{n:02}Z" for n, t in enumerate(temperatures)]
    upload_and_process(api_client, process_pending, "\n".join(lines))
    assert api_client.get("/temperature-readings/7/").json()["mean_temp"] == mean


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ({"from": "2026-01-02T12:00:00Z"}, 2),  # inclusive
        ({"from": "2026-01-02T12:00:00.000001Z"}, 1),
        ({"to": "2026-01-02T12:00:00Z"}, 1),  # exclusive
        ({"to": "2026-01-02T12:00:00.000001Z"}, 2),
        ({"from": "2026-01-01T12:00:00Z", "to": "2026-01-03T12:00:00Z"}, 2),
        ({"from": "2026-01-02T14:00:00+02:00", "to": "2026-01-03"}, 1),
        ({"from": "2027-01-01T00:00:00Z"}, 0),
        ({"from": "2026-01-03T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 0),
    ],
)
def test_from_and_to_select_exactly_those_readings(
    bounds: dict[str, str], count: int, api_client: APIClient, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    response = api_client.get("/temperature-readings/7/", bounds)
    assert response.status_code == 200
    payload = response.json()
    assert list(payload) == CITY
    assert payload["count"] == count
    if not count:
        assert [payload[name] for name in CITY[3:]] == [None] * 5
    assert api_client.post("/temperature-readings/7/", bounds).json() == payload
    [listed] = [
        city
        for city in api_client.get("/temperature-readings/", bounds).json()["cities"]
        if city["city_id"] == 7
    ]
    assert listed == payload


@pytest.mark.parametrize("city", ["8", "0", "2147483648", str(2**70)])
def test_a_city_without_any_reading_is_404(
    city: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    assert_problem(api_client.get(f"/temperature-readings/{city}/"), 404)
    assert_problem(api_client.post(f"/temperature-readings/{city}/", {}), 404)


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("value", ["yesterday", "", "2026-02-30T00:00:00Z", "1e9"])
def test_an_invalid_bound_is_400(field: str, value: str, api_client: APIClient) -> None:
    for response in (
        api_client.get("/temperature-readings/7/", {field: value}),
        api_client.post("/temperature-readings/7/", {field: value}),
        api_client.get("/temperature-readings/", {field: value}),
    ):
        assert assert_problem(response, 400)["errors"].keys() == {field}


def test_all_cities_are_listed_by_id(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    assert api_client.get("/temperature-readings/").json() == {"cities": [], "next": None}
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    payload = api_client.get("/temperature-readings/").json()
    assert [city["city_id"] for city in payload["cities"]] == [7, 9]
    for city in payload["cities"]:
        assert city == api_client.get(f"/temperature-readings/{city['city_id']}/").json()


def test_a_city_can_be_named_before_its_first_reading(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    response = api_client.put("/api/cities/7/", {"name": "Rīga"})
    assert (response.status_code, response.json()) == (200, {"city_id": 7, "name": "Rīga"})
    assert_problem(api_client.get("/temperature-readings/7/"), 404)
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    assert api_client.get("/temperature-readings/7/").json()["name"] == "Rīga"
    for name in ("", " ", "x" * 101, "a\nb"):
        assert_problem(api_client.put("/api/cities/7/", {"name": name}), 400)
    for city in ("0", "2147483648", str(2**70)):
        assert_problem(api_client.put(f"/api/cities/{city}/", {"name": "Rīga"}), 404)


# --- Duplicates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", UPLOAD_FIELDS)
@pytest.mark.parametrize("first_url", UPLOAD_FIELDS)
def test_a_duplicate_gets_200_with_the_ids_of_the_first_file_at_every_endpoint(
    first_url: str, url: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    accepted = 202 if first_url == "/api/upload/" else 201
    assert upload(api_client, form_file(FOUR_READINGS), first_url).status_code == accepted
    first = api_client.get("/api/files/").json()["results"][0]
    for status in ("PENDING", "SUCCESS"):
        response = upload(api_client, form_file(FOUR_READINGS, "another name.csv"), url)
        assert response.status_code == 200
        payload = response.json()["files"][0] if url == "/api/upload/" else response.json()
        assert payload["duplicate"] is True
        assert payload["status"] == status
        assert payload["task_id"] == first["task_id"]
        assert payload["id" if url == "/api/files/" else "file_id"] == first["id"]
        process_pending()
    assert api_client.get("/temperature-readings/7/").json()["count"] == 3
    assert len(api_client.get("/api/files/").json()["results"]) == 1


def test_the_same_bytes_of_another_client_are_no_duplicate(
    api_client: APIClient, make_user: MakeUser, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    other = api_client_of(make_user(client=ClientFactory()))
    assert upload(other, form_file(FOUR_READINGS)).status_code == 201


def test_after_a_failure_or_a_deletion_the_same_bytes_are_a_new_file(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    failed = upload_and_process(api_client, process_pending, "nonsense\n")
    assert upload(api_client, form_file("nonsense\n")).json()["file_id"] != failed["id"]
    process_pending()
    file = upload_and_process(api_client, process_pending, FOUR_READINGS)
    assert api_client.delete(f"/api/files/{file['id']}/").status_code == 204
    assert upload_and_process(api_client, process_pending, FOUR_READINGS)["id"] != file["id"]
    assert api_client.get("/temperature-readings/7/").json()["count"] == 3


# --- Series --------------------------------------------------------------------------------------

SERIES = "/temperature-readings/7/series/"


@pytest.mark.parametrize(
    ("query", "points"),
    [
        (
            {"bucket": "hour"},
            [
                ("2026-01-01T12:00:00Z", 2, -0.02, 1.0, 0.49),
                ("2026-01-02T00:00:00Z", 1, 3.0, 3.0, 3.0),
            ],
        ),
        (
            {"bucket": "day"},
            [
                ("2026-01-01T00:00:00Z", 2, -0.02, 1.0, 0.49),
                ("2026-01-02T00:00:00Z", 1, 3.0, 3.0, 3.0),
            ],
        ),
        (
            {"bucket": "day", "from": "2026-01-01T12:30:00Z", "to": "2026-01-02T00:00:00Z"},
            [("2026-01-01T00:00:00Z", 1, 1.0, 1.0, 1.0)],
        ),
        ({"bucket": "hour", "from": "2026-01-02T00:00:00.000001Z"}, []),
    ],
)
def test_a_series_has_a_point_for_each_hour_or_day_with_readings(
    query: dict[str, str],
    points: list[tuple[Any, ...]],
    api_client: APIClient,
    process_pending: ProcessPending,
) -> None:
    upload_and_process(
        api_client,
        process_pending,
        "7,3,2026-01-02T00:00:00Z\n7,-0.02,2026-01-01T12:00:00Z\n"
        "7,1,2026-01-01T12:59:59.999999Z\n8,9,2026-01-01T12:00:00Z\n",
    )
    response = api_client.get(SERIES, query)
    assert response.status_code == 200
    assert response.json() == {
        "city_id": 7,
        "bucket": query["bucket"],
        "points": [
            dict(zip(("at", "count", "min", "max", "mean"), point, strict=True)) for point in points
        ],
    }


def test_a_series_of_more_than_10_000_points_is_400(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    days = [(date(1990, 1, 1) + timedelta(days=day)).isoformat() for day in range(10_001)]
    upload_and_process(api_client, process_pending, "".join(f"7,1,{day}T08:00\n" for day in days))
    assert_problem(api_client.get(SERIES, {"bucket": "day"}), 400)
    bounds = {"bucket": "day", "to": f"{days[-1]}T08:00:00Z"}
    assert len(api_client.get(SERIES, bounds).json()["points"]) == 10_000


def test_a_series_needs_a_bucket_and_a_city_with_readings(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    for query in ({}, {"bucket": ""}, {"bucket": "week"}, {"bucket": "day", "from": "yesterday"}):
        assert_problem(api_client.get(SERIES, query), 400)
    for city in ("8", "0", "2147483648"):
        url = f"/temperature-readings/{city}/series/"
        assert_problem(api_client.get(url, {"bucket": "day"}), 404)


# --- Never stale ---------------------------------------------------------------------------------


def test_the_first_response_after_a_success_or_a_deletion_includes_it(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    first = upload_and_process(api_client, process_pending, FOUR_READINGS)
    url, bounds = "/temperature-readings/7/", {"from": "2026-01-02T00:00:00Z"}
    seen = [api_client.get(url).json()["count"], api_client.get(url, bounds).json()["count"]]
    assert upload(api_client, form_file("7,5,2026-01-05T00:00:00Z")).status_code == 201
    assert api_client.get(url).json()["count"] == seen[0]
    process_pending()
    assert api_client.get(url).json()["count"] == seen[0] + 1
    assert api_client.get(url, bounds).json()["count"] == seen[1] + 1
    assert api_client.delete(f"/api/files/{first['id']}/").status_code == 204
    assert api_client.get(url).json()["count"] == 1
    assert api_client.get(url, bounds).json()["count"] == 1


@pytest.mark.parametrize(
    "url",
    ["/temperature-readings/7/", "/temperature-readings/", f"{SERIES}?bucket=hour"],
)
def test_get_has_an_etag_and_if_none_match_is_304_after_authentication(
    url: str, api_client: APIClient, process_pending: ProcessPending
) -> None:
    upload_and_process(api_client, process_pending, FOUR_READINGS)
    etag = api_client.get(url)["ETag"]
    again = api_client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == etag
    assert_problem(APIClient().get(url, headers={"If-None-Match": etag}), 401)
    upload_and_process(api_client, process_pending, "7,5,2026-01-05T00:00:00Z")
    assert api_client.get(url, headers={"If-None-Match": etag}).status_code == 200
