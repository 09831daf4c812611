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
from django.contrib.contenttypes.models import ContentType
from django.forms import Form
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from tests.clients import api_client, browser, call, client_for, send
from tests.contract.answers import assert_problem
from tests.endpoints import API, Endpoint
from tests.factories import StaffFactory, Tenant, UserFactory
from tests.input_recorder import recorded_names
from tests.openapi import OPERATIONS, fields_of, operation
from tests.pages import PAGES
from timba.accounts.models import Role, User
from timba.accounts.permissions import Permission
from timba.consignments.models import Consignment
from timba.web import forms

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

ENDPOINTS = [*API, *PAGES]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CSRF_TOKEN = "a" * 32
URLENCODED = "application/x-www-form-urlencoded"
STRANGE_ACCEPTS = ["application/xml", "*/*;q=0, nonsense"]
BAD_CREDENTIALS = ["Bearer nonsense", "Bearer", "Bearer a b", "Bearer a.b.c", "Basic bWFydGE6eA=="]
# Paths that need no credentials, from a program or a browser.
PUBLIC = ["", "login/", "api/docs/", "api/schema/", "health/live", "health/ready"]
# Each name under which a query or a body may name a row, and whose ids are tried under it.
ID_NAMES = {
    "id": ("client_id", "user_id", "role_id", "consignment_id", "log_id", "note_id", "file_id"),
    "role": ("role_id",),
    **{f"{n}_id": (f"{n}_id",) for n in ("client", "user", "consignment", "log", "city", "task")},
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


def lapse(tenant: Tenant) -> None:
    """End the tenant's subscription."""
    subscription = tenant.client.subscription
    subscription.current_period_end = tenant.client.created_at
    subscription.save()


def user_with(tenant: Tenant, permissions: list[str]) -> User:
    """Return a user whose role has exactly these permissions."""
    role = Role.unscoped.create(client=tenant.client, name="exact", permissions=permissions)
    return UserFactory(client=tenant.client, role=role)


def visible(response: Any, *, asked: object = None, secrets: Set[str] = frozenset()) -> bytes:
    """Return all that a caller can see of a response, without what differs each time.

    The id that was asked for, ids of new rows, UUIDs and CSRF tokens are replaced. Fails if a
    secret is visible.
    """
    headers = {k: v for k, v in response.items() if k not in ("Content-Length", "X-Request-ID")}
    content = response.content
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


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Yield every path of the URLconf, with parameters such as `<int:pk>`."""
    for part in resolver.url_patterns:
        pattern = part.pattern
        is_route = isinstance(pattern, RoutePattern)
        route = str(pattern) if is_route else simplify_regex(str(pattern)).removeprefix("/")
        if isinstance(part, URLPattern):
            yield prefix + route
        else:
            yield from routes(part, prefix + route)


ROUTES = set(routes(get_resolver()))
ADMIN_ROUTES = sorted(route for route in ROUTES if route.startswith("admin/"))


def test_every_url_is_in_the_table() -> None:
    in_table = {re.sub(r"{\w+}", "{}", endpoint.path) for endpoint in ENDPOINTS}
    assert in_table == {re.sub("<.+?>", "{}", route) for route in ROUTES - set(ADMIN_ROUTES)}


def test_openapi_documents_exactly_the_api() -> None:
    rows = [endpoint for endpoint in API if endpoint.path not in ("api/schema/", "api/docs/")]
    assert len(OPERATIONS) == len(rows)
    for endpoint in rows:
        assert str(endpoint.owner) in operation(endpoint)["responses"], endpoint


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


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_owner(endpoint: Endpoint, tenant: Tenant) -> None:
    """With or without the final slash, and whatever a program accepts."""
    client, path = client_for(endpoint, tenant.user), endpoint.url(tenant.ids).rstrip("/")
    accepted = [{}] if endpoint.is_page else [{}, *({"accept": a} for a in STRANGE_ACCEPTS)]
    seen = set()
    for url in (path, f"{path}/") if path else ("/",):
        for headers in accepted:
            headers["X-Request-ID"] = "A.b_c-9"
            response = call(client, endpoint, tenant.ids, url=url, headers=headers)
            assert response.status_code == endpoint.owner
            assert response["X-Request-ID"] == "A.b_c-9"
            # A page may spell its own address.
            response.content = response.content.replace(f"{path}/".encode(), path.encode())
            seen.add(visible(response))
    assert len(seen) == 1
    if endpoint.owner >= 400 and not endpoint.is_page:
        assert_problem(response, endpoint.owner)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_anonymous(endpoint: Endpoint, tenant: Tenant, absent_ids: dict[str, Any]) -> None:
    """A program gets 401 where a browser is sent to sign in; neither learns which rows exist."""
    for client in (api_client(), browser()):
        response = call(client, endpoint, tenant.ids, headers={"X-Request-ID": "x"})
        assert response["X-Request-ID"] == "x"
        if endpoint.is_page == (client.defaults["HTTP_ACCEPT"] == "text/html"):
            assert response.status_code == endpoint.anonymous
        if endpoint.path in PUBLIC:
            continue
        if client.defaults["HTTP_ACCEPT"] == "text/html":
            assert response.status_code == 302
            assert response["Location"].startswith("/login/?next=")
        else:
            assert_problem(response, 401)
        seen, absent = visible(response), visible(call(client, endpoint, absent_ids))
        for known, unknown in zip(tenant.ids.values(), absent_ids.values(), strict=True):
            seen = seen.replace(str(known).encode(), str(unknown).encode())
        assert seen == absent


@pytest.mark.parametrize(
    "endpoint",
    [e for e in API if e.path not in PUBLIC and not e.path.startswith("api/token/")],
    ids=str,
)
def test_bad_credentials(endpoint: Endpoint, tenant: Tenant) -> None:
    for credentials in BAD_CREDENTIALS:
        headers = {"authorization": credentials}
        response = call(api_client(), endpoint, tenant.ids, headers=headers)
        assert_problem(response, 401)
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.permission], ids=str
)
def test_user_without_the_permission(endpoint: Endpoint, tenant: Tenant) -> None:
    others = [permission for permission in Permission if permission != endpoint.permission]
    client = client_for(endpoint, user_with(tenant, others))
    response = call(client, endpoint, tenant.ids)
    assert response.status_code == endpoint.no_permission
    if not endpoint.is_page:
        assert_problem(response, endpoint.no_permission)


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.permission != "staff"], ids=str
)
def test_user_with_only_the_permission(endpoint: Endpoint, tenant: Tenant) -> None:
    permissions = [endpoint.permission] if endpoint.permission else []
    client = client_for(endpoint, user_with(tenant, permissions))
    assert call(client, endpoint, tenant.ids).status_code == endpoint.owner


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.permission == "staff"], ids=str
)
def test_staff(endpoint: Endpoint, tenant: Tenant) -> None:
    created = {"PUT": 201, "POST": 201, "PATCH": 200}[endpoint.method]
    assert call(api_client(StaffFactory()), endpoint, tenant.ids).status_code == created


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_lapsed_subscription(endpoint: Endpoint, tenant: Tenant) -> None:
    lapse(tenant)
    response = call(client_for(endpoint, tenant.user), endpoint, tenant.ids)
    assert response.status_code == endpoint.lapsed
    if not endpoint.is_page and endpoint.lapsed == 402:
        assert_problem(response, 402)


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in API if endpoint.lapsed == 402], ids=str
)
def test_staff_write_for_a_client_whose_subscription_has_lapsed(
    endpoint: Endpoint, tenant: Tenant
) -> None:
    lapse(tenant)
    for_client = {"client_id": tenant.client.pk}
    in_query = not endpoint.body or endpoint.method == "DELETE"
    place = {"query": for_client} if in_query else {"body": for_client}
    response = call(api_client(StaffFactory()), endpoint, tenant.ids, **place)
    assert response.status_code == endpoint.owner


# --- Another client's rows -----------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_another_clients_rows_look_absent(
    endpoint: Endpoint, tenant: Tenant, other_tenant: Tenant, absent_ids: dict[str, Any]
) -> None:
    client, secrets = client_for(endpoint, tenant.user), other_tenant.secrets
    if endpoint.other_client:
        foreign = call(client, endpoint, other_tenant.ids)
        assert foreign.status_code == endpoint.other_client
    for name in endpoint.parameters:
        foreign = call(client, endpoint, {**tenant.ids, name: other_tenant.ids[name]})
        absent = call(client, endpoint, {**tenant.ids, name: absent_ids[name]})
        assert visible(foreign, asked=other_tenant.ids[name], secrets=secrets) == visible(
            absent, asked=absent_ids[name]
        )
    with recorded_names() as names:
        harmless = visible(call(client, endpoint, tenant.ids), secrets=secrets)
        own = {name: tenant.ids[ID_NAMES[name][0]] for name in ID_NAMES if name != "id"}
        for parameters in (own, {"id": 1}):
            visible(call(client, endpoint, tenant.ids, query=parameters), secrets=secrets)
            visible(call(client, endpoint, tenant.ids, body=parameters), secrets=secrets)
    for name in ID_NAMES.keys() & names:
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
        response = send(api_client(tenant.user), "GET", url)
        return visible(response, asked=task_id, secrets=other_tenant.secrets)

    assert seen(other_tenant.file.task_id) == seen(uuid.UUID(int=1))


# --- Requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_malformed_body(endpoint: Endpoint, tenant: Tenant) -> None:
    client = client_for(endpoint, tenant.user)
    response = send(client, endpoint.method, endpoint.url(tenant.ids), b'{"name": "x')
    assert response.status_code == endpoint.malformed


@pytest.mark.parametrize("path", sorted({endpoint.path for endpoint in ENDPOINTS}))
def test_other_methods_are_405(path: str, tenant: Tenant) -> None:
    rows = [endpoint for endpoint in ENDPOINTS if endpoint.path == path]
    client, url = api_client(tenant.user), rows[0].url(tenant.ids)
    if rows[0].is_page:
        client.force_login(tenant.user)
    for method in set(METHODS) - {row.method for row in rows}:
        response = send(client, method, url)
        assert_problem(response, 405)
        assert response["Allow"]


@pytest.mark.parametrize(
    "endpoint",
    [e for e in ENDPOINTS if e.method != "GET" and not e.path.startswith("api/token/")],
    ids=str,
)
def test_a_session_write_without_a_csrf_token_is_403(endpoint: Endpoint, tenant: Tenant) -> None:
    client = browser(tenant.user, enforce_csrf_checks=True)
    accept = {"accept": "application/json"}
    assert_problem(call(client, endpoint, tenant.ids, headers=accept), 403)
    client.cookies["csrftoken"] = CSRF_TOKEN
    response = call(client, endpoint, tenant.ids, headers={"X-CSRFToken": CSRF_TOKEN})
    assert response.status_code == endpoint.owner


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in API if "requestBody" in operation(endpoint)], ids=str
)
def test_an_unsupported_content_type_is_415(endpoint: Endpoint, tenant: Tenant) -> None:
    client, url = api_client(tenant.user), endpoint.url(tenant.ids)
    for content_type in ("text/plain", "application/xml", "image/png", "nonsense"):
        assert_problem(send(client, endpoint.method, url, b"<a/>", content_type), 415)


# --- The admin pages -----------------------------------------------------------------------------


@pytest.mark.parametrize("route", ADMIN_ROUTES)
def test_admin_pages_are_closed_to_clients(
    route: str, tenant: Tenant, other_tenant: Tenant, absent_ids: dict[str, Any]
) -> None:
    """A client's user is sent to sign in as anybody is, and learns of no row."""
    seen: dict[tuple[str, str], list[bytes]] = {}
    for ids in (other_tenant.ids, absent_ids):
        row = ids["consignment_id"]
        model = ContentType.objects.get_for_model(Consignment).pk
        path = re.sub("<(path:)?object_id>", str(row), route)
        path = re.sub("<(path|int):content_type_id>", str(model), path)
        path = path.replace("<app_label>", "auth").replace("<url>", f"consignments/log/{row}/")
        for user in (None, tenant.user):
            for method in ("GET", "POST"):
                response = send(browser(user), method, f"/{path}", b"name=x", URLENCODED)
                assert response.status_code == 302
                assert other_tenant.word.encode() not in response.content
                key = (str(user), method)
                seen.setdefault(key, []).append(visible(response, asked=row))
    assert all(foreign == absent for foreign, absent in seen.values())
