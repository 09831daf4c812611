"""“Everywhere”: lists come in pages, and staff see all clients'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from tests.conftest import AsUser
from tests.contract.answers import assert_problem
from tests.contract.uploads import sent
from tests.endpoints import API, READINGS
from tests.factories import ClientFactory, Tenant, UserFactory, create_tenant
from tests.openapi import operation
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import Role, User
from timba.consignments.models import Consignment
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db

# Each list, the key of its rows, and what names a row in it.
LISTS = {
    "/api/notes/": ("results", "id"),
    "/api/files/": ("results", "id"),
    "/api/clients/": ("results", "id"),
    "/api/users/": ("results", "id"),
    "/api/roles/": ("results", "id"),
    "/api/consignments/": ("results", "id"),
    "/timba/consignments": ("consignments", "id"),
    "/timba/users": ("users", "id"),
    "/timba/roles": ("roles", "id"),
    "/temperature-readings/": ("cities", "city_id"),
    "/api/events/": ("events", "sequence"),
}
# These are a consignment's: see `test_lists_of_logs`.
LISTS_OF_LOGS = {"/timba/logs", "/api/consignments/{consignment_id}/logs/"}
MADE = 7


def make_rows(user: User) -> None:
    """Give every list some rows more."""
    assert user.client is not None
    for number in range(MADE):
        write_note(actor=user, client=user.client, title=f"Note {number}")
        settle_readings(f"{number + 1},{number},2026-01-01T00:00:00Z\n", actor=user)
        ClientFactory()
        UserFactory(client=user.client)
        Role.unscoped.create(client=user.client, name=f"role {number}")
        Consignment.unscoped.create(client=user.client, name=f"Load {number}", type="hardwood")


def walk(program: APIClient, url: str, key: str, meanwhile: Callable[[], None]) -> list[Any]:
    """Return all rows of a list, two at a time, while others come in."""
    rows: list[Any] = []
    following: str | None = f"{url}?limit=2"
    while following is not None:
        page = program.get(following).json()
        assert list(page) == [key, "next"]
        if not page[key]:
            break
        assert len(page[key]) == 2 or page["next"] is None or url == "/api/events/"
        rows += page[key]
        following = page["next"]
        meanwhile()
    return rows


def test_every_list_is_known_here() -> None:
    paged = {
        f"/{endpoint.path}"
        for endpoint in API
        if any(p["name"] == "limit" for p in operation(endpoint).get("parameters", []))
    }
    assert paged == LISTS.keys() | LISTS_OF_LOGS


def test_a_walk_by_next_meets_each_row_once(tenant: Tenant, staff: User, as_user: AsUser) -> None:
    make_rows(tenant.user)
    for url, (key, name) in LISTS.items():
        # Of clients, only staff see more than one.
        program = as_user(staff if url == "/api/clients/" else tenant.user)
        whole = [row[name] for row in program.get(url).json()[key]]
        assert len(whole) > MADE, url
        met = [row[name] for row in walk(program, url, key, lambda: None)]
        assert met == whole, url
        assert len(set(met)) == len(met), url


@pytest.mark.parametrize("url", ["/api/notes/", "/api/files/"])
def test_lists_are_newest_first_and_rows_that_come_in_shift_nothing(
    url: str, tenant: Tenant, as_user: AsUser
) -> None:
    make_rows(tenant.user)
    program = as_user(tenant.user)
    rows = program.get(url).json()["results"]
    when = "created_at" if url == "/api/notes/" else "uploaded_at"
    assert [row[when] for row in rows] == sorted((row[when] for row in rows), reverse=True)
    made = iter(range(100, 1000))

    def one_comes_in() -> None:
        write_note(actor=tenant.user, client=tenant.client, title="late")
        settle_readings(f"1,{next(made)},2026-01-02T00:00:00Z\n", actor=tenant.user)

    assert walk(program, url, "results", one_comes_in) == rows


def test_users_and_cities_are_by_id_and_built_in_roles_first(
    tenant: Tenant, as_user: AsUser
) -> None:
    make_rows(tenant.user)
    program = as_user(tenant.user)
    for url in ("/timba/users", "/api/users/", "/temperature-readings/"):
        key, name = LISTS[url]
        numbers = [row[name] for row in program.get(url).json()[key]]
        assert numbers == sorted(numbers)
    for url in ("/timba/roles", "/api/roles/"):
        names = [role["name"] for role in program.get(url).json()[LISTS[url][0]]]
        assert names[:4] == ["owner", "manager", "operator", "viewer"]
        assert len(names) == 4 + 1 + MADE


@pytest.mark.parametrize("url", ["/api/consignments/", "/timba/consignments"])
def test_consignments_are_newest_first(url: str, tenant: Tenant, as_user: AsUser) -> None:
    make_rows(tenant.user)
    loads = as_user(tenant.user).get(url).json()[LISTS[url][0]]
    assert [load["name"] for load in loads[:2]] == [f"Load {MADE - 1}", f"Load {MADE - 2}"]
    numbers = [load["id"] for load in loads]
    assert numbers == sorted(numbers, reverse=True)


def test_clients_are_newest_first(tenant: Tenant, staff: User, as_user: AsUser) -> None:
    make_rows(tenant.user)
    numbers = [client["id"] for client in as_user(staff).get("/api/clients/").json()["results"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 1 + MADE


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("url", LISTS)
def test_a_limit_is_a_number_from_1_to_1000(url: str, program: APIClient) -> None:
    for limit in ("0", "1001", "-1", "x", "", "1.0", "1e2", "٣", "9" * 400):
        said = assert_problem(program.get(url, {"limit": limit}), 400)
        assert said["errors"].keys() == {"limit"}
    for good in (1, 1000):
        assert program.get(url, {"limit": good}).status_code == 200


def test_without_a_limit_a_page_has_100(owner: User, program: APIClient) -> None:
    assert owner.client is not None
    for number in range(101):
        write_note(actor=owner, client=owner.client, title=str(number))
    first = program.get("/api/notes/").json()
    assert [note["title"] for note in first["results"]] == [str(n) for n in range(100, 0, -1)]
    assert urlsplit(first["next"]).path == "/api/notes/"
    second = program.get(first["next"]).json()
    assert [note["title"] for note in second["results"]] == ["0"]
    assert second["next"] is None


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("url", [url for url in LISTS if url != "/api/events/"])
def test_a_cursor_that_timba_did_not_give_is_400(url: str, program: APIClient) -> None:
    for cursor in ("", "x", "AAAA", "W10", "WzEsMl0", "bnVsbA", "W251bGxd", "é"):
        said = assert_problem(program.get(url, {"cursor": cursor}), 400)
        assert said["errors"].keys() == {"cursor"}


def test_the_next_page_keeps_what_was_asked(tenant: Tenant, as_user: AsUser) -> None:
    make_rows(tenant.user)
    page = as_user(tenant.user).get("/api/notes/", {"limit": 3, "q": "Note"}).json()
    assert parse_qs(urlsplit(page["next"]).query).keys() == {"limit", "q", "cursor"}
    following = as_user(tenant.user).get(page["next"]).json()["results"]
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
        "/api/consignments/",
        "/timba/consignments",
        "/timba/users",
        "/timba/roles",
    ],
)
def test_staffs_lists_show_all_clients_unless_one_is_named(
    url: str, tenant: Tenant, staff: User, as_user: AsUser
) -> None:
    other = create_tenant(word="Dzirnupe", first_id=7_000_001)
    program, (key, name) = as_user(staff), LISTS[url]
    rows = {row[name] for row in program.get(url).json()[key]}
    for each in (tenant, other):
        theirs = {row[name] for row in as_user(each.user).get(url).json()[key]}
        assert theirs < rows
        narrowed = program.get(url, {"client_id": each.client.pk}).json()[key]
        assert {row[name] for row in narrowed} == theirs
    assert_problem(program.get(url, {"client_id": 9}), 404)


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
def test_where_a_client_is_needed_staff_say_which(
    method: str, url: str, body: dict[str, Any], tenant: Tenant, staff: User, as_user: AsUser
) -> None:
    program = as_user(staff)
    said = assert_problem(getattr(program, method)(url, body), 400)
    assert said["errors"].keys() == {"client_id"}
    answer = getattr(program, method)(url, {**body, "client_id": tenant.client.pk})
    creates = url.startswith(("/timba/", "/api/")) and method != "get"
    other = {"/api/files/retry-failed/": 202, "/api/cities/7/": 200}
    assert answer.status_code == other.get(url, 201 if creates else 200)
    assert_problem(getattr(program, method)(url, {**body, "client_id": 9}), 404)


@pytest.mark.parametrize("url", ["/upload/", "/api/upload/", "/api/files/"])
def test_staff_say_for_which_client_they_upload(
    url: str, tenant: Tenant, staff: User, as_user: AsUser
) -> None:
    program, field = as_user(staff), "files" if url == "/api/upload/" else "file"
    said = assert_problem(program.post(url, {field: sent(READINGS)}, format="multipart"), 400)
    assert said["errors"].keys() == {"client_id"}
    form = {field: sent(READINGS), "client_id": tenant.client.pk}
    accepted = 202 if url == "/api/upload/" else 201
    assert program.post(url, form, format="multipart").status_code == accepted
