"""What every endpoint does alike, checked for each row of `tests.endpoints` and `tests.pages`."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from zipfile import ZipFile

import pytest
import time_machine
from django.contrib.admindocs.views import simplify_regex
from django.forms import Form
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from rest_framework.test import APIClient

from tests.clients import api_client_of, browser_of, call, recorded_names, send
from tests.contract.responses import assert_problem
from tests.endpoints import API, ID, OPERATIONS, Endpoint, fields_of, operation
from tests.factories import StaffFactory, Tenant, UserFactory
from tests.pages import PAGES
from timba.accounts.models import Role, User
from timba.accounts.permissions import Permission
from timba.files.resumable.parts import PartFile, parts_folder
from timba.urls import OptionalSlashPattern
from timba.web import forms

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

ENDPOINTS = [*API, *PAGES]
WRITES = [endpoint for endpoint in ENDPOINTS if endpoint.method != "GET"]
URLENCODED = "application/x-www-form-urlencoded"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CSRF_TOKEN = "a" * 32
# Paths that need no credentials, from an API client or a browser.
PUBLIC = ["", "login/", "api/docs/", "api/schema/", "health/live", "health/ready", "metrics"]
# Writes that need no permission, but a subscription.
OWN_ACCOUNT = ["account/", "account/password/"]
# What is answered to the id of another client's row, where it is not 404.
OTHER_CLIENT = {
    ("PUT api/cities/{city_id}/", "city_id"): 200,  # every client numbers its own cities
    # Each file by itself; the page that follows says the same of absent files.
    ("POST files/selected/", "file_id"): 302,
    ("POST files/selected/archive/", "file_id"): 302,
    ("POST people/", "role"): 400,
    ("POST people/{user_id}/", "role"): 400,
}
# Each name under which a query or a body may name a row, and whose ids are tried under it.
ID_NAMES = {
    "id": ("client_id", "user_id", "role_id", "consignment_id", "log_id", "note_id", "file_id"),
    "role": ("role_id",),
    **{f"{n}_id": (f"{n}_id",) for n in ("client", "user", "consignment", "log", "city")},
    **{f"{n}_id": (f"{n}_id",) for n in ("task", "file")},
}


@pytest.fixture(scope="module", autouse=True)
def _stopped_clock() -> Iterator[None]:
    # At the present time: an S3 server refuses requests whose clock differs from its own.
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def absent_ids(tenant: Tenant) -> dict[str, Any]:
    """Return ids that no row has."""
    return {
        name: uuid.UUID(int=number) if isinstance(known, uuid.UUID) else 8_000_000 + number
        for number, (name, known) in enumerate(tenant.ids.items(), start=1)
    }


def user_with(tenant: Tenant, permissions: list[str]) -> User:
    """Return a user whose role has exactly these permissions."""
    name = f"role {Role.unscoped.count()}"
    role = Role.unscoped.create(client=tenant.client, name=name, permissions=permissions)
    return UserFactory(client=tenant.client, role=role)


def visible(response: Any, *, asked: object = None, secrets: Set[str] = frozenset()) -> bytes:
    """Return all that a caller can see of a response, without what differs each time.

    The id that was asked for, ids of new rows, UUIDs and CSRF tokens are replaced. Fails if a
    secret is visible.
    """
    headers = {k: v for k, v in response.items() if k not in ("Content-Length", "X-Request-ID")}
    content = response.getvalue()
    if content.startswith(b"PK\3\4"):  # a workbook: its parts carry the time of packing
        with ZipFile(io.BytesIO(content)) as archive:
            content = b"".join(name.encode() + archive.read(name) for name in archive.namelist())
    seen = repr((response.status_code, headers)).encode() + content
    if asked is not None:
        seen = seen.replace(str(asked).encode(), b"<asked>")
    for secret in secrets:
        assert secret.encode() not in seen, f"{secret!r} is in {seen!r}"
    if response.status_code == HTTPStatus.CREATED:
        seen = re.sub(rb'"id":\d+', b'"id":<new>', seen, count=1)
    seen = re.sub(rb"('Location': '/\w+)/\d+/'", rb"\1/<new>/'", seen)
    seen = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"<uuid>", seen)
    return re.sub(rb"\b[A-Za-z0-9]{64}\b", b"<csrf token>", seen)


# --- The table -----------------------------------------------------------------------------------


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield every path of the URLconf, with parameters such as `<int:pk>`, and its pattern."""
    for part in resolver.url_patterns:
        pattern = part.pattern
        is_route = isinstance(pattern, RoutePattern)
        route = str(pattern) if is_route else simplify_regex(str(pattern)).removeprefix("/")
        if isinstance(part, URLPattern):
            yield prefix + route, part
        else:
            yield from patterns(part, prefix + route)


ROUTES = dict(patterns(get_resolver()))
ADMIN_ROUTES = {route for route in ROUTES if route.startswith("admin/")}


def test_every_url_is_in_the_table() -> None:
    in_table = {re.sub(r"{\w+}", "{}", endpoint.path) for endpoint in ENDPOINTS}
    assert in_table == {re.sub("<.+?>", "{}", route) for route in ROUTES.keys() - ADMIN_ROUTES}


def test_every_url_matches_with_and_without_its_final_slash() -> None:
    """`tests.test_urls` proves that this pattern does."""
    for route in ROUTES.keys() - ADMIN_ROUTES:
        assert isinstance(ROUTES[route].pattern, OptionalSlashPattern), route


def test_openapi_documents_exactly_the_api() -> None:
    rows = [endpoint for endpoint in API if endpoint.path not in ("api/schema/", "api/docs/")]
    assert len(OPERATIONS) == len(rows)
    for endpoint in rows:
        assert str(endpoint.status) in operation(endpoint)["responses"], endpoint


def test_every_name_of_an_id_is_tried() -> None:
    names = {name for endpoint in API for name in fields_of(endpoint)}
    for endpoint in API:
        parameters = operation(endpoint).get("parameters", [])
        names |= {p["name"] for p in parameters if p["in"] == "query"}
    for form in vars(forms).values():
        if isinstance(form, type) and issubclass(form, Form):
            names |= set(form.base_fields)
    assert {name for name in names if name == "id" or name.endswith("_id")} <= ID_NAMES.keys()


# --- Callers -------------------------------------------------------------------------------------


class Callers:
    """An API client and a browser of one user: pages are called by the browser."""

    def __init__(self, user: User) -> None:
        self.api_client, self.browser = api_client_of(user), browser_of(user)

    def call(self, endpoint: Endpoint, tenant: Tenant, **options: Any) -> Any:
        client = self.browser if endpoint.is_page else self.api_client
        upload_id = tenant.ids["resumable_upload_id"]
        if not (parts_folder() / str(upload_id)).exists():
            # A deletion that was rolled back has deleted the bytes all the same.
            PartFile.create(upload_id)
        return call(client, endpoint, tenant.ids, **options)


def test_anonymous(tenant: Tenant, absent_ids: dict[str, Any], subtests: pytest.Subtests) -> None:
    """An API client gets 401, a browser is sent to sign in; neither learns which rows exist."""
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint=str(endpoint)):
            if endpoint.path in PUBLIC:
                response = call(browser_of(), endpoint, tenant.ids)
                signed_out = {"GET login/": 200, "POST login/": 401}
                assert response.status_code == signed_out.get(str(endpoint), endpoint.status)
                continue
            for client, status in ((APIClient(), 401), (browser_of(), 302)):
                response = call(client, endpoint, tenant.ids, headers={"X-Request-ID": "x"})
                assert response["X-Request-ID"] == "x"
                if status == 401:
                    assert_problem(response, 401)
                else:
                    assert response.status_code == 302
                    assert response["Location"].startswith("/login/?next=")
                seen, absent = visible(response), visible(call(client, endpoint, absent_ids))
                for known, unknown in zip(tenant.ids.values(), absent_ids.values(), strict=True):
                    seen = seen.replace(str(known).encode(), str(unknown).encode())
                assert seen == absent


def test_bad_credentials(tenant: Tenant, subtests: pytest.Subtests) -> None:
    client = APIClient(headers={"authorization": "Bearer a.b.c"})
    for endpoint in API:
        if endpoint.path in PUBLIC or endpoint.path.startswith("api/token/"):
            continue
        with subtests.test(endpoint=str(endpoint)):
            response = call(client, endpoint, tenant.ids)
            assert_problem(response, 401)
            assert response["WWW-Authenticate"] == "Bearer"


def test_user_without_the_permission(tenant: Tenant, subtests: pytest.Subtests) -> None:
    for permission in [*Permission, "staff"]:
        others = [other for other in Permission if other != permission]
        user = Callers(user_with(tenant, others))
        for endpoint in ENDPOINTS:
            if endpoint.permission != permission:
                continue
            with subtests.test(endpoint=str(endpoint)):
                response = user.call(endpoint, tenant)
                assert response.status_code == 403
                if not endpoint.is_page:
                    assert_problem(response, 403)


def test_user_with_only_the_permission(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """Whatever an API client accepts, it gets the status of the row."""
    for permission in ["", *Permission]:
        user = Callers(user_with(tenant, [permission] if permission else []))
        for endpoint in ENDPOINTS:
            if endpoint.permission != permission:
                continue
            accept = {} if endpoint.is_page else {"accept": "application/xml"}
            headers = {"X-Request-ID": "A.b_c-9", **accept}
            with subtests.test(endpoint=str(endpoint)):
                response = user.call(endpoint, tenant, headers=headers)
                assert response.status_code == endpoint.status
                assert response["X-Request-ID"] == "A.b_c-9"
                if endpoint.status >= 400 and not endpoint.is_page:
                    assert_problem(response, endpoint.status)


def test_staff(tenant: Tenant) -> None:
    staff = Callers(StaffFactory())
    for endpoint in ENDPOINTS:
        if endpoint.permission == "staff":
            status = 200 if endpoint.method == "PATCH" else 201
            assert staff.call(endpoint, tenant).status_code == status, endpoint


def test_lapsed_subscription(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """The owner reads as before and writes nothing; staff write for the client."""
    subscription = tenant.client.subscription
    subscription.current_period_end = tenant.client.created_at
    subscription.save()
    owner, staff = Callers(tenant.user), Callers(StaffFactory())
    for endpoint in ENDPOINTS:
        is_write = endpoint.method != "GET" and endpoint.permission not in ("", "staff")
        with subtests.test(endpoint=str(endpoint)):
            response = owner.call(endpoint, tenant)
            if not is_write and endpoint.path not in OWN_ACCOUNT:
                assert response.status_code == endpoint.status
            elif endpoint.is_page:
                assert response.status_code == (200 if endpoint.method == "GET" else 402)
            else:
                assert_problem(response, 402)
                in_query = not endpoint.body or endpoint.method == "DELETE"
                place = "query" if in_query else "body"
                options: dict[str, Any] = {place: {"client_id": tenant.client.pk}}
                assert staff.call(endpoint, tenant, **options).status_code == endpoint.status


# --- Another client's rows -----------------------------------------------------------------------


def names_read(owner: Callers, endpoint: Endpoint, tenant: Tenant) -> set[str]:
    """Return the names of the inputs that an endpoint documents, or a page reads."""
    documented = operation(endpoint).get("parameters", [])
    names = {p["name"] for p in documented if p["in"] == "query"} | {*fields_of(endpoint)}
    own = {name: tenant.ids[nouns[0]] for name, nouns in ID_NAMES.items() if name != "id"}
    with recorded_names() as recorded:
        for parameters in (own, {"id": 1}) if endpoint.is_page else ({},):
            owner.call(endpoint, tenant, query=parameters, body=parameters)
    return names | recorded


def test_another_clients_rows_look_absent(
    tenant: Tenant, other_tenant: Tenant, absent_ids: dict[str, Any], subtests: pytest.Subtests
) -> None:
    owner, secrets = Callers(tenant.user), other_tenant.secrets
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint=str(endpoint)):
            client = owner.browser if endpoint.is_page else owner.api_client
            in_body = [name for name, value in endpoint.body.items() if value is ID]
            for name in [*endpoint.parameters, *in_body]:
                known, unknown = other_tenant.ids[name], absent_ids[name]
                foreign = call(client, endpoint, {**tenant.ids, name: known})
                absent = call(client, endpoint, {**tenant.ids, name: unknown})
                assert foreign.status_code == OTHER_CLIENT.get((str(endpoint), name), 404)
                seen = visible(foreign, asked=known, secrets=secrets)
                assert seen == visible(absent, asked=unknown)
            response = owner.call(endpoint, tenant)
            assert response.status_code == endpoint.status
            harmless = visible(response, secrets=secrets)
            for name in ID_NAMES.keys() & names_read(owner, endpoint, tenant):
                for noun in ID_NAMES[name]:
                    for place in ("query", "body"):
                        known, unknown = other_tenant.ids[noun], absent_ids[noun]
                        foreign = call(client, endpoint, tenant.ids, **{place: {name: known}})
                        seen = visible(foreign, asked=known, secrets=secrets)
                        if seen != harmless:
                            absent = call(client, endpoint, tenant.ids, **{place: {name: unknown}})
                            assert seen == visible(absent, asked=unknown), (place, name, noun)


def test_another_clients_task_looks_absent_beside_ones_own(
    tenant: Tenant, other_tenant: Tenant
) -> None:
    def seen(task_id: object) -> bytes:
        url = f"/api/task-status/?task_id={tenant.file.task_id}&task_id={task_id}"
        response = api_client_of(tenant.user).get(url)
        return visible(response, asked=task_id, secrets=other_tenant.secrets)

    assert seen(other_tenant.file.task_id) == seen(uuid.UUID(int=1))


# --- Requests ------------------------------------------------------------------------------------


def test_other_methods_are_405(tenant: Tenant, subtests: pytest.Subtests) -> None:
    owner = api_client_of(tenant.user)
    owner.force_login(tenant.user)
    for path in sorted({endpoint.path for endpoint in ENDPOINTS}):
        rows = [endpoint for endpoint in ENDPOINTS if endpoint.path == path]
        for method in set(METHODS) - {row.method for row in rows}:
            with subtests.test(path=path, method=method):
                response = send(owner, method, rows[0].url(tenant.ids))
                assert_problem(response, 405)
                assert response["Allow"]


def test_a_session_write_without_a_csrf_token_is_403(
    tenant: Tenant, subtests: pytest.Subtests
) -> None:
    browser = browser_of(tenant.user, enforce_csrf_checks=True)
    for endpoint in WRITES:
        if not endpoint.path.startswith("api/token/"):
            with subtests.test(endpoint=str(endpoint)):
                headers = {"accept": "application/json"}
                assert_problem(call(browser, endpoint, tenant.ids, headers=headers), 403)


@pytest.mark.parametrize("name", ["POST notes/", "POST api/notes/", "POST api/files/"])
def test_a_session_write_with_the_csrf_token_succeeds(name: str, tenant: Tenant) -> None:
    browser = browser_of(tenant.user, enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = CSRF_TOKEN
    [endpoint] = [endpoint for endpoint in ENDPOINTS if str(endpoint) == name]
    response = call(browser, endpoint, tenant.ids, headers={"X-CSRFToken": CSRF_TOKEN})
    assert response.status_code == endpoint.status


# --- The admin pages -----------------------------------------------------------------------------


def admin_path(route: str, row_id: int) -> str:
    """Return the path of an admin page for a row that may be absent."""
    path = re.sub("<(path:)?object_id>", str(row_id), route)
    path = re.sub("<(path|int):content_type_id>", "1", path)
    return "/" + path.replace("<app_label>", "auth").replace("<url>", f"consignments/log/{row_id}/")


def test_admin_pages_send_a_clients_user_to_sign_in(
    tenant: Tenant, other_tenant: Tenant, subtests: pytest.Subtests
) -> None:
    browser = browser_of(tenant.user)
    for route in sorted(ADMIN_ROUTES):
        for method in ("GET", "POST"):
            with subtests.test(route=route, method=method):
                path = admin_path(route, other_tenant.consignment.pk)
                response = send(browser, method, path, b"name=x", URLENCODED)
                assert response.status_code == 302
                assert other_tenant.word.encode() not in response.content


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_admin_pages_look_alike_for_rows_and_absent_rows(
    method: str, tenant: Tenant, absent_ids: dict[str, Any]
) -> None:
    route = "admin/consignments/consignment/<path:object_id>/change/"
    assert route in ADMIN_ROUTES
    for browser in (browser_of(), browser_of(tenant.user)):
        seen = set()
        for row_id in (tenant.consignment.pk, absent_ids["consignment_id"]):
            response = send(browser, method, admin_path(route, row_id), b"name=x", URLENCODED)
            seen.add(visible(response, asked=row_id))
        assert len(seen) == 1
