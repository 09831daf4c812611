"""“Temperatures”: uploads, statistics, twins, and answers that are never stale."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from tests.contract.answers import UUID, assert_problem
from tests.contract.conftest import Work
from tests.contract.uploads import DOORS, FOUR, photo, sent, settled, upload, zipped
from tests.factories import ClientFactory
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
def test_an_upload_is_201_with_its_ids(name: str, program: APIClient, work: Work) -> None:
    answer = upload(program, sent(FOUR, name))
    assert answer.status_code == 201
    said = answer.json()
    assert list(said) == ["file_id", "task_id", "file_url", "status"]
    assert UUID.fullmatch(said["file_id"])
    assert UUID.fullmatch(said["task_id"])
    assert said["file_url"] == f"/api/files/{said['file_id']}/content/"
    assert said["status"] == "PENDING"
    assert work() == 1
    assert program.get("/temperature-readings/7/").json()["count"] == 3


def test_a_form_without_a_file_is_400(program: APIClient) -> None:
    for form in ({}, {"other": sent(FOUR)}, {"file": "no file"}):
        said = assert_problem(program.post("/upload/", form, format="multipart"), 400)
        assert said["errors"].keys() == {"file"}


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(lambda: sent(photo()), id="a photo"),
        pytest.param(lambda: sent(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), id="a PDF"),
        pytest.param(lambda: sent(bytes(range(256)) * 4), id="bytes of every kind"),
        pytest.param(lambda: sent(FOUR.encode("utf-16")), id="UTF-16"),
        pytest.param(lambda: sent(b""), id="an empty file"),
        pytest.param(lambda: zipped(photo()), id="a photo in an archive"),
        pytest.param(lambda: zipped(FOUR.encode("utf-16")), id="UTF-16 in an archive"),
        pytest.param(lambda: sent(b"\x1f\x8b\x08nonsense" * 9, "r.csv.gz"), id="a broken archive"),
    ],
)
def test_bytes_that_are_neither_utf8_text_nor_gzip_of_it_are_400(
    file: Any, program: APIClient
) -> None:
    said = assert_problem(upload(program, file()), 400)
    assert "readings.csv" in said["detail"] or "r.csv.gz" in said["detail"]


# --- Statistics ----------------------------------------------------------------------------------


def test_a_citys_statistics_have_exactly_these_fields(program: APIClient, work: Work) -> None:
    settled(program, work, FOUR)
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
    answer = program.get("/temperature-readings/7/")
    assert answer.status_code == 200
    assert answer.json() == expected
    assert list(answer.json()) == CITY
    assert program.post("/temperature-readings/7/", {}).json() == expected


@pytest.mark.parametrize(
    ("temperatures", "mean"),
    [
        (["0.01", "0.02"], 0.02),  # 0.015, half away from zero
        (["-0.01", "-0.02"], -0.02),  # -0.015
        (["0.01", "0", "0"], 0.0),  # 0.00333…
        (["1.00", "1.01", "1.01", "1.00"], 1.01),  # 1.005, which no float is
        (["999.99", "-273.15"], 363.42),  # exactly
    ],
)
def test_the_mean_is_exact_and_rounded_half_away_from_zero(
    temperatures: list[str], mean: float, program: APIClient, work: Work
) -> None:
    lines = [f"7,{t},2026-01-01T00:00:{n:02}Z" for n, t in enumerate(temperatures)]
    settled(program, work, "\n".join(lines))
    assert program.get("/temperature-readings/7/").json()["mean_temp"] == mean


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
def test_from_and_to_narrow_to_exactly_those_readings(
    bounds: dict[str, str], count: int, program: APIClient, work: Work
) -> None:
    settled(program, work, FOUR)
    answer = program.get("/temperature-readings/7/", bounds)
    assert answer.status_code == 200
    said = answer.json()
    assert list(said) == CITY
    assert said["count"] == count
    if not count:
        assert [said[name] for name in CITY[3:]] == [None] * 5
    assert program.post("/temperature-readings/7/", bounds).json() == said
    [listed] = [
        city
        for city in program.get("/temperature-readings/", bounds).json()["cities"]
        if city["city_id"] == 7
    ]
    assert listed == said


@pytest.mark.parametrize("city", ["8", "0", "2147483648", str(2**70)])
def test_a_city_without_any_reading_is_404(city: str, program: APIClient, work: Work) -> None:
    settled(program, work, FOUR)
    assert_problem(program.get(f"/temperature-readings/{city}/"), 404)
    assert_problem(program.post(f"/temperature-readings/{city}/", {}), 404)


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("value", ["yesterday", "", "2026-02-30T00:00:00Z", "1e9"])
def test_a_bound_that_is_no_time_is_400(field: str, value: str, program: APIClient) -> None:
    for answer in (
        program.get("/temperature-readings/7/", {field: value}),
        program.post("/temperature-readings/7/", {field: value}),
        program.get("/temperature-readings/", {field: value}),
    ):
        assert assert_problem(answer, 400)["errors"].keys() == {field}


def test_all_cities_are_listed_by_id_each_as_above(program: APIClient, work: Work) -> None:
    assert program.get("/temperature-readings/").json() == {"cities": [], "next": None}
    settled(program, work, FOUR)
    said = program.get("/temperature-readings/").json()
    assert [city["city_id"] for city in said["cities"]] == [7, 9]
    for city in said["cities"]:
        assert city == program.get(f"/temperature-readings/{city['city_id']}/").json()


def test_a_city_is_named_without_registration(program: APIClient, work: Work) -> None:
    answer = program.put("/api/cities/7/", {"name": "Rīga"})
    assert (answer.status_code, answer.json()) == (200, {"city_id": 7, "name": "Rīga"})
    assert_problem(program.get("/temperature-readings/7/"), 404)
    settled(program, work, FOUR)
    assert program.get("/temperature-readings/7/").json()["name"] == "Rīga"
    for name in ("", " ", "x" * 101, "a\nb"):
        assert_problem(program.put("/api/cities/7/", {"name": name}), 400)
    for city in ("0", "2147483648", str(2**70)):
        assert_problem(program.put(f"/api/cities/{city}/", {"name": "Rīga"}), 404)


# --- Twins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", DOORS)
@pytest.mark.parametrize("first_url", DOORS)
def test_a_twin_gets_200_with_the_first_ones_ids_at_every_door(
    first_url: str, url: str, program: APIClient, work: Work
) -> None:
    accepted = 202 if first_url == "/api/upload/" else 201
    assert upload(program, sent(FOUR), first_url).status_code == accepted
    first = program.get("/api/files/").json()["results"][0]
    for status in ("PENDING", "SUCCESS"):
        answer = upload(program, sent(FOUR, "another name.csv"), url)
        assert answer.status_code == 200
        said = answer.json()["files"][0] if url == "/api/upload/" else answer.json()
        assert said["duplicate"] is True
        assert said["status"] == status
        assert said["task_id"] == first["task_id"]
        assert said["id" if url == "/api/files/" else "file_id"] == first["id"]
        work()
    assert program.get("/temperature-readings/7/").json()["count"] == 3
    assert len(program.get("/api/files/").json()["results"]) == 1


def test_another_clients_twin_is_none(
    program: APIClient, make_user: MakeUser, as_user: AsUser, work: Work
) -> None:
    settled(program, work, FOUR)
    other = as_user(make_user(client=ClientFactory()))
    assert upload(other, sent(FOUR)).status_code == 201


def test_after_a_failure_or_a_delete_the_same_bytes_are_taken_anew(
    program: APIClient, work: Work
) -> None:
    failed = settled(program, work, "nonsense\n")
    assert upload(program, sent("nonsense\n")).json()["file_id"] != failed["id"]
    work()
    file = settled(program, work, FOUR)
    assert program.delete(f"/api/files/{file['id']}/").status_code == 204
    assert settled(program, work, FOUR)["id"] != file["id"]
    assert program.get("/temperature-readings/7/").json()["count"] == 3


# --- Never stale ---------------------------------------------------------------------------------


def test_the_first_answer_after_a_success_or_a_delete_already_counts_it(
    program: APIClient, work: Work
) -> None:
    first = settled(program, work, FOUR)
    url, bounds = "/temperature-readings/7/", {"from": "2026-01-02T00:00:00Z"}
    seen = [program.get(url).json()["count"], program.get(url, bounds).json()["count"]]
    assert upload(program, sent("7,5,2026-01-05T00:00:00Z")).status_code == 201
    assert program.get(url).json()["count"] == seen[0]
    work()
    assert program.get(url).json()["count"] == seen[0] + 1
    assert program.get(url, bounds).json()["count"] == seen[1] + 1
    assert program.delete(f"/api/files/{first['id']}/").status_code == 204
    assert program.get(url).json()["count"] == 1
    assert program.get(url, bounds).json()["count"] == 1


@pytest.mark.parametrize("url", ["/temperature-readings/7/", "/temperature-readings/"])
def test_get_has_an_etag_and_if_none_match_is_304_after_authentication(
    url: str, program: APIClient, work: Work
) -> None:
    settled(program, work, FOUR)
    etag = program.get(url)["ETag"]
    again = program.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == etag
    assert_problem(APIClient().get(url, headers={"If-None-Match": etag}), 401)
    settled(program, work, "7,5,2026-01-05T00:00:00Z")
    assert program.get(url, headers={"If-None-Match": etag}).status_code == 200
