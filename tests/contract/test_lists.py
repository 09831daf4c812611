"""“Everywhere”: lists are paginated, and staff see the rows of all clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.responses import assert_problem
from tests.contract.uploads import form_file
from tests.endpoints import API, READINGS, operation
from tests.factories import ClientFactory, Tenant, UserFactory, create_tenant
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Role, User
from timba.consignments.models import Consignment
from timba.files.models import ImportProfile
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db

# Each list with the key of its rows and the field that identifies a row.
LISTS = {
    "/api/notes/": ("results", "id"),
    "/api/files/": ("results", "id"),
    "/api/clients/": ("results", "id"),
    "/api/users/": ("results", "id"),
    "/api/roles/": ("results", "id"),
    "/api/import-profiles/": ("results", "id"),
    "/api/consignments/": ("results", "id"),
    "/timba/consignments": ("consignments", "id"),
    "/timba/users": ("users", "id"),
    "/timba/roles": ("roles", "id"),
    "/temperature-readings/": ("cities", "city_id"),
    "/api/events/": ("events", "sequence"),
}
# A consignment's logs: see `test_consignment_lists`.
LISTS_OF_LOGS = {"/timba/logs", "/api/consignments/{consignment_id}/logs/"}
EXTRA_ROWS = 7


def create_rows(user: User) -> None:
    """Add rows to every list."""
    assert user.client is not None
    for number in range(EXTRA_ROWS):
        write_note(actor=user, client=user.client, title=f"Note {number}")
        settle_readings(f"{number + 1},{number},2026-01-01T00:00:00Z\n", actor=user)
        ClientFactory()
        UserFactory(client=user.client)
        Role.unscoped.create(client=user.client, name=f"role {number}")
        Consignment.unscoped.create(client=user.client, name=f"Load {number}", type="hardwood")
        ImportProfile.unscoped.create(
            client=user.client, kind="tally", header_digest=str(number), read_as={}
        )


def paginate(api_client: APIClient, url: str, key: str, meanwhile: Callable[[], None]) -> list[Any]:
    """Return all rows of a list in pages of two; call `meanwhile` after each page."""
    rows: list[Any] = []
    next_url: str | None = f"{url}?limit=2"
    while next_url is not None:
        page = api_client.get(next_url).json()
        assert list(page) == [key, "next"]
        if not page[key]:
            break
        assert len(page[key]) == 2 or page["next"] is None or url == "/api/events/"
        rows += page[key]
        next_url = page["next"]
        meanwhile()
    return rows


def test_every_paginated_endpoint_is_tested() -> None:
    paged = {
        f"/{endpoint.path}"
        for endpoint in API
        if any(p["name"] == "limit" for p in operation(endpoint).get("parameters", []))
    }
    assert paged == LISTS.keys() | LISTS_OF_LOGS


def test_pagination_returns_each_row_once(tenant: Tenant, staff: User) -> None:
    create_rows(tenant.user)
    for url, (key, name) in LISTS.items():
        # Only staff see more than one client.
        api_client = api_client_of(staff if url == "/api/clients/" else tenant.user)
        all_ids = [row[name] for row in api_client.get(url).json()[key]]
        assert len(all_ids) > EXTRA_ROWS, url
        ids_seen = [row[name] for row in paginate(api_client, url, key, lambda: None)]
        assert ids_seen == all_ids, url
        assert len(set(ids_seen)) == len(ids_seen), url


@pytest.mark.parametrize("url", ["/api/notes/", "/api/files/"])
def test_lists_are_newest_first_and_new_rows_do_not_shift_pages(url: str, tenant: Tenant) -> None:
    create_rows(tenant.user)
    api_client = api_client_of(tenant.user)
    rows = api_client.get(url).json()["results"]
    when = "created_at" if url == "/api/notes/" else "uploaded_at"
    assert [row[when] for row in rows] == sorted((row[when] for row in rows), reverse=True)
    minutes = iter(range(100, 1000))

    def add_rows() -> None:
        write_note(actor=tenant.user, client=tenant.client, title="late")
        settle_readings(f"1,{next(minutes)},2026-01-02T00:00:00Z\n", actor=tenant.user)

    assert paginate(api_client, url, "results", add_rows) == rows


def test_users_and_cities_are_ordered_by_id_and_built_in_roles_come_first(tenant: Tenant) -> None:
    create_rows(tenant.user)
    api_client = api_client_of(tenant.user)
    for url in ("/timba/users", "/api/users/", "/temperature-readings/"):
        key, name = LISTS[url]
        numbers = [row[name] for row in api_client.get(url).json()[key]]
        assert numbers == sorted(numbers)
    for url in ("/timba/roles", "/api/roles/"):
        names = [role["name"] for role in api_client.get(url).json()[LISTS[url][0]]]
        assert names[:4] == ["owner", "manager", "operator", "viewer"]
        assert len(names) == 4 + 1 + EXTRA_ROWS


@pytest.mark.parametrize("url", ["/api/consignments/", "/timba/consignments"])
def test_consignments_are_newest_first(url: str, tenant: Tenant) -> None:
    create_rows(tenant.user)
    consignments = api_client_of(tenant.user).get(url).json()[LISTS[url][0]]
    assert [row["name"] for row in consignments[:2]] == [
        f"Load {EXTRA_ROWS - 1}",
        f"Load {EXTRA_ROWS - 2}",
    ]
    numbers = [consignment["id"] for consignment in consignments]
    assert numbers == sorted(numbers, reverse=True)


def test_clients_are_newest_first(tenant: Tenant, staff: User) -> None:
    create_rows(tenant.user)
    numbers = [
        client["id"] for client in api_client_of(staff).get("/api/clients/").json()["results"]
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 1 + EXTRA_ROWS


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("url", LISTS)
def test_a_limit_is_an_integer_from_1_to_1000(url: str, api_client: APIClient) -> None:
    for limit in ("0", "1001", "-1", "x", "", "1.0", "1e2", "٣", "9" * 400):
        problem = assert_problem(api_client.get(url, {"limit": limit}), 400)
        assert problem["errors"].keys() == {"limit"}
    for limit in (1, 1000):
        assert api_client.get(url, {"limit": limit}).status_code == 200


def test_without_a_limit_a_page_has_100_rows(owner: User, api_client: APIClient) -> None:
    assert owner.client is not None
    for number in range(101):
        write_note(actor=owner, client=owner.client, title=str(number))
    first = api_client.get("/api/notes/").json()
    assert [note["title"] for note in first["results"]] == [str(n) for n in range(100, 0, -1)]
    assert urlsplit(first["next"]).path == "/api/notes/"
    second = api_client.get(first["next"]).json()
    assert [note["title"] for note in second["results"]] == ["0"]
    assert second["next"] is None


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("url", [url for url in LISTS if url != "/api/events/"])
def test_an_invalid_cursor_is_400(url: str, api_client: APIClient) -> None:
    for cursor in ("", "x", "AAAA", "W10", "WzEsMl0", "bnVsbA", "W251bGxd", "é"):
        problem = assert_problem(api_client.get(url, {"cursor": cursor}), 400)
        assert problem["errors"].keys() == {"cursor"}


def test_the_next_page_keeps_limit_and_filters(tenant: Tenant) -> None:
    create_rows(tenant.user)
    page = api_client_of(tenant.user).get("/api/notes/", {"limit": 3, "q": "Note"}).json()
    assert parse_qs(urlsplit(page["next"]).query).keys() == {"limit", "q", "cursor"}
    following = api_client_of(tenant.user).get(page["next"]).json()["results"]
    assert [note["title"] for note in following] == ["Note 3", "Note 2", "Note 1"]


# --- Staff ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "/api/notes/",
        "/api/files/",
        "/api/clients/",
        "/api/users/",
        "/api/roles/",
        "/api/import-profiles/",
        "/api/consignments/",
        "/timba/consignments",
        "/timba/users",
        "/timba/roles",
    ],
)
def test_staff_see_the_rows_of_all_clients_or_of_a_named_one(
    url: str, tenant: Tenant, staff: User
) -> None:
    other = create_tenant(word="Dzirnupe", first_id=7_000_001)
    api_client, (key, name) = api_client_of(staff), LISTS[url]
    rows = {row[name] for row in api_client.get(url).json()[key]}
    for each in (tenant, other):
        own = {row[name] for row in api_client_of(each.user).get(url).json()[key]}
        assert own < rows
        filtered = api_client.get(url, {"client_id": each.client.pk}).json()[key]
        assert {row[name] for row in filtered} == own
    assert_problem(api_client.get(url, {"client_id": 9}), 404)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("get", "/timba/client", {}),
        ("get", "/temperature-readings/", {}),
        ("get", "/temperature-readings/5006001/", {}),
        ("post", "/temperature-readings/5006001/", {}),
        ("get", "/api/events/", {}),
        ("put", "/api/cities/7/", {"name": "Riga"}),
        ("post", "/api/notes/", {"title": "Lorry"}),
        ("put", "/timba/consignment", {"name": "Load", "type": "hardwood"}),
        ("post", "/api/consignments/", {"name": "Load", "type": "hardwood"}),
        ("put", "/timba/user", {"name": "M", "username": "marta", "role": "viewer"}),
        ("post", "/api/users/", {"name": "M", "username": "marta", "role": "viewer"}),
        ("put", "/timba/role", {"name": "gate"}),
        ("post", "/api/roles/", {"name": "gate"}),
        ("post", "/api/files/retry-failed/", {}),
    ],
)
def test_staff_must_name_the_client(
    method: str, url: str, body: dict[str, Any], tenant: Tenant, staff: User
) -> None:
    api_client = api_client_of(staff)
    problem = assert_problem(getattr(api_client, method)(url, body), 400)
    assert problem["errors"].keys() == {"client_id"}
    response = getattr(api_client, method)(url, {**body, "client_id": tenant.client.pk})
    creates = url.startswith(("/timba/", "/api/")) and method != "get"
    other = {"/api/files/retry-failed/": 202, "/api/cities/7/": 200}
    assert response.status_code == other.get(url, 201 if creates else 200)
    assert_problem(getattr(api_client, method)(url, {**body, "client_id": 9}), 404)


@pytest.mark.parametrize("url", ["/upload/", "/api/upload/", "/api/files/"])
def test_staff_must_name_the_client_of_an_upload(url: str, tenant: Tenant, staff: User) -> None:
    api_client, field = api_client_of(staff), "files" if url == "/api/upload/" else "file"
    form = {field: form_file(READINGS)}
    problem = assert_problem(api_client.post(url, form, format="multipart"), 400)
    assert problem["errors"].keys() == {"client_id"}
    form = {field: form_file(READINGS), "client_id": tenant.client.pk}
    accepted = 202 if url == "/api/upload/" else 201
    assert api_client.post(url, form, format="multipart").status_code == accepted


@pytest.mark.parametrize("url", [url for url in LISTS if url.startswith("/api/")])
@pytest.mark.parametrize("text", ["%ED%A0%80", "B%E4r"])
def test_a_query_that_is_not_utf_8_is_400(url: str, text: str, api_client: APIClient) -> None:
    detail = assert_problem(api_client.get(f"{url}?q={text}"), 400)["detail"]
    assert detail == "The query is not in UTF-8."
