"""“The same nouns answer as plain REST”: clients, users and roles, and the subscription.

`/timba/` and `/api/` reject a request with the same status and the same sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import TIME, assert_problem, envelope
from tests.contract.test_clients_and_users import CLIENT, MARTA, SUBSCRIPTION, USER
from tests.factories import PASSWORD, ClientFactory, UserFactory
from timba.accounts.models import Client, Role, User
from timba.accounts.token_cache import forget_users

pytestmark = pytest.mark.django_db

ROLE = ["id", "name", "permissions"]
KALNI = {"name": "Kalni", "address": "Kandava", "contact": "+371", "email": "a@kalni.example"}
OWNER = {"username": "kalni", "password": "spruce-bark-7731"}
LATER = "2190-01-01T00:00:00Z"


def rejected_by_both_apis(
    api_client: APIClient, noun: str, method: str, pk: int | None, body: Any
) -> Any:
    """Send a request to both APIs, check that both reject it alike, and return the response."""
    if method == "POST":
        other = api_client.put(f"/timba/{noun}", body)
        response = api_client.post(f"/api/{noun}s/", body)
    else:
        whole = {f"{noun}_id": pk, **(body or {})}
        other = api_client.generic(
            method, f"/timba/{noun}", orjson.dumps(whole), content_type="application/json"
        )
        response = getattr(api_client, method.lower())(f"/api/{noun}s/{pk}/", body)
    assert (response.status_code, response.content) == (other.status_code, other.content)
    return response


def queries(function: Callable[[], object]) -> int:
    forget_users()
    with CaptureQueriesContext(connection) as captured:
        function()
    return len(captured)


# --- Clients -------------------------------------------------------------------------------------


def test_staff_create_list_and_update_clients(staff: User) -> None:
    api_client = api_client_of(staff)
    response = api_client.post("/api/clients/", {**KALNI, **OWNER})
    assert response.status_code == 201
    client = response.json()
    assert list(client) == CLIENT
    assert {name: client[name] for name in KALNI} == KALNI
    assert (client["subscription"]["status"], client["subscription"]["seats"]) == ("trial", 5)
    assert User.unscoped.get(username="kalni").is_owner
    url = f"/api/clients/{client['id']}/"
    assert api_client.get(url).json() == client
    assert api_client.get("/api/clients/").json() == {"results": [client], "next": None}
    changed = api_client.patch(url, {"contact": "Anna"})
    assert changed.status_code == 200
    assert changed.json() == {
        **client,
        "contact": "Anna",
        "updated_at": changed.json()["updated_at"],
    }


def test_a_member_sees_and_lists_only_their_own_client(api_client: APIClient, owner: User) -> None:
    ClientFactory()
    own = api_client.get(f"/api/clients/{owner.client_id}/").json()
    assert list(own) == CLIENT
    assert own == api_client.get("/timba/client").json()
    for query in ({}, {"client_id": owner.client_id}):
        assert api_client.get("/api/clients/", query).json() == {"results": [own], "next": None}


def test_only_staff_create_clients(api_client: APIClient) -> None:
    rejected_by_both_apis(api_client, "client", "POST", None, {**KALNI, **OWNER})
    assert_problem(api_client.post("/api/clients/", {**KALNI, **OWNER}), 403)
    assert_problem(APIClient().post("/api/clients/", {**KALNI, **OWNER}), 401)
    assert Client.unscoped.count() == 1


def test_open_sign_up_admits_anonymous_users_and_both_apis_share_its_limit(
    db: None, settings: Any
) -> None:
    settings.TIMBA_OPEN_SIGNUP = True
    anyone = APIClient(REMOTE_ADDR="10.9.8.7")
    problem = assert_problem(rejected_by_both_apis(anyone, "client", "POST", None, KALNI), 400)
    assert problem["errors"].keys() == {"username", "password"}
    for number in range(4):
        body = {**KALNI, **OWNER, "username": f"kalni-{number}"}
        assert list(anyone.post("/api/clients/", body).json()) == CLIENT
        body["username"] = f"other-{number}"
        envelope(anyone.put("/timba/client", body), 201)
    assert_problem(anyone.post("/api/clients/", {**KALNI, **OWNER}), 429)
    assert_problem(anyone.put("/timba/client", {**KALNI, **OWNER}), 429)
    assert_problem(anyone.get("/api/clients/"), 401)


def test_the_permission_to_manage_users_includes_updating_the_client(
    api_client: APIClient, owner: User, make_user: MakeUser
) -> None:
    url = f"/api/clients/{owner.client_id}/"
    assert api_client.patch(url, KALNI).json()["email"] == KALNI["email"]
    assert (
        api_client.patch(url, {"time_zone": "Asia/Kolkata"}).json()["time_zone"] == "Asia/Kolkata"
    )
    problem = assert_problem(api_client.patch(url, {"time_zone": "Riga"}), 400)
    assert problem["errors"] == {
        "time_zone": ["“Riga” is not a time zone: give a name such as “Europe/Riga” or “UTC”."]
    }
    problem = assert_problem(api_client.patch(url, {"name": "", "email": "x"}), 400)
    assert problem["errors"].keys() == {"name", "email"}
    for role in ("manager", "viewer"):
        assert_problem(api_client_of(make_user(role=role)).patch(url, {"name": "Mine"}), 403)
    # Sending back the whole resource changes no other field.
    whole = api_client.get(url).json()
    again = api_client.patch(url, {**whole, "name": "A", "subscription": {"seats": 999}}).json()
    assert again == {**whole, "name": "A", "updated_at": again["updated_at"]}


def test_clients_are_suspended_not_deleted(staff: User, owner: User) -> None:
    url = f"/api/clients/{owner.client_id}/"
    response = api_client_of(staff).delete(url)
    problem = assert_problem(response, 405)
    assert problem["detail"] == "Clients are suspended, not deleted: PATCH is_active to false."
    assert response["Allow"] == "GET, PATCH, HEAD, OPTIONS"
    assert (
        assert_problem(api_client_of(staff).put(url), 405)["detail"] == 'Method "PUT" not allowed.'
    )


def test_users_of_a_suspended_client_are_rejected_until_staff_reactivate_it(
    staff: User, owner: User
) -> None:
    url, credentials = f"/api/clients/{owner.client_id}/", {"username": owner.username}
    credentials["password"] = PASSWORD
    member, browser = api_client_of(owner), APIClient()
    browser.force_login(owner, backend="timba.accounts.sign_in.MemberBackend")
    assert_problem(member.patch(url, {"is_active": False}), 403)
    requests = (lambda: member.get("/api/notes/"), lambda: browser.get("/api/notes/"))
    for is_active, status in ((False, 401), (True, 200)):
        response = api_client_of(staff).patch(url, {"is_active": is_active})
        assert (response.status_code, response.json()["is_active"]) == (200, is_active)
        assert [request().status_code for request in requests] == [status] * 2
        assert APIClient().post("/api/token/", credentials).status_code == status


# --- The subscription ----------------------------------------------------------------------------


def test_staff_extend_a_subscription(staff: User, owner: User) -> None:
    api_client, url = api_client_of(staff), f"/api/clients/{owner.client_id}/subscription/"
    body = {"plan": "standard", "seats": 9, "status": "active", "current_period_end": LATER}
    body |= {"quota_bytes": 5 * 1024**3}
    response = api_client.patch(url, body)
    body |= {"used_bytes": 0}
    assert (response.status_code, response.json()) == (200, body)
    assert list(response.json()) == SUBSCRIPTION
    assert api_client_of(owner).get(url).json() == body
    assert api_client_of(owner).get("/timba/client").json()["subscription"] == body


def test_after_the_end_writes_are_402_and_reads_succeed_until_it_is_renewed(
    staff: User, owner: User
) -> None:
    api_client, url = api_client_of(staff), f"/api/clients/{owner.client_id}/subscription/"
    ended = api_client.patch(url, {"status": "lapsed"}).json()
    assert ended["status"] == "lapsed"
    now = datetime.fromisoformat(api_client.get("/api/clients/").json()["results"][0]["created_at"])
    assert abs(datetime.fromisoformat(ended["current_period_end"]) - now) < timedelta(minutes=1)
    assert_problem(api_client_of(owner).post("/api/roles/", {"name": "gate"}), 402)
    assert_problem(api_client_of(owner).patch(f"/api/users/{owner.pk}/", {"name": "N"}), 402)
    assert api_client_of(owner).get("/api/users/").status_code == 200
    assert_problem(api_client.patch(url, {"status": "active"}), 400)
    renewed = api_client.patch(url, {"status": "active", "current_period_end": LATER})
    assert renewed.json()["status"] == "active"
    assert api_client_of(owner).post("/api/roles/", {"name": "gate"}).status_code == 201


def test_fewer_seats_than_active_users_are_409(
    staff: User, owner: User, make_user: MakeUser
) -> None:
    make_user(role="viewer")
    url = f"/api/clients/{owner.client_id}/subscription/"
    problem = assert_problem(api_client_of(staff).patch(url, {"seats": 1}), 409)
    assert problem["detail"] == "2 users are active: deactivate some, or leave as many seats."
    assert api_client_of(staff).patch(url, {"seats": 2}).json()["seats"] == 2
    assert_problem(rejected_by_both_apis(api_client_of(owner), "user", "POST", None, MARTA), 402)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("plan", "gold"),
        ("seats", 0),
        ("seats", None),
        ("seats", 10**6),
        ("seats", 2**63),
        ("status", "ended"),
        ("quota_bytes", -1),
        ("quota_bytes", 2**63),
        ("quota_bytes", "5 GB"),
        ("current_period_end", "tomorrow"),
        ("current_period_end", "9999-01-01T00:00:00Z"),
        ("current_period_end", "0001-01-01T00:00:00+14:00"),
        ("current_period_end", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_an_invalid_subscription_is_400(field: str, value: Any, staff: User, owner: User) -> None:
    url = f"/api/clients/{owner.client_id}/subscription/"
    problem = assert_problem(api_client_of(staff).patch(url, {field: value}), 400)
    assert problem["errors"].keys() == {field}


def test_members_may_not_update_their_subscription(api_client: APIClient, owner: User) -> None:
    url = f"/api/clients/{owner.client_id}/subscription/"
    assert_problem(api_client.patch(url, {"seats": 99}), 403)


# --- Users ---------------------------------------------------------------------------------------


def test_a_user_is_added_read_changed_and_deleted(api_client: APIClient, owner: User) -> None:
    response = api_client.post("/api/users/", {**MARTA, "contact": "+371"})
    assert response.status_code == 201
    user = response.json()
    assert list(user) == USER
    assert (user["client_id"], user["contact"]) == (owner.client_id, "+371")
    assert TIME.fullmatch(user["created_at"])
    url = f"/api/users/{user['id']}/"
    assert (
        api_client.get(url).json()
        == api_client.get("/timba/user", {"id": user["id"]}).json()
        == user
    )
    changed = api_client.patch(url, {"name": "M.", "role": "operator"}).json()
    operator = Role.unscoped.get(name="operator").pk
    assert changed == {
        **user,
        "name": "M.",
        "role_id": operator,
        "updated_at": changed["updated_at"],
    }
    assert api_client.get("/api/users/").json()["results"][-1] == changed
    gone = api_client.delete(url)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(api_client.get(url), 404)


def test_the_query_of_a_patch_changes_nothing(api_client: APIClient, owner: User) -> None:
    response = api_client.patch(f"/api/users/{owner.pk}/?name=Queried", {})
    assert response.json()["name"] == owner.name


def test_both_apis_reject_requests_for_users_alike(
    api_client: APIClient, owner: User, staff: User, make_user: MakeUser
) -> None:
    viewer, other = make_user(role="viewer"), ClientFactory()
    foreign = UserFactory(client=other, username="foreign")
    for actor, method, user, body, status in (
        (owner, "POST", None, {**MARTA, "username": "foreign"}, 409),
        (owner, "POST", None, {**MARTA, "role": "king"}, 404),
        (owner, "POST", None, {**MARTA, "client_id": other.pk}, 404),
        (owner, "POST", None, {**MARTA, "password": "1234"}, 400),
        (owner, "POST", None, [], 400),
        (staff, "POST", None, MARTA, 400),
        (viewer, "POST", None, MARTA, 403),
        (owner, "PATCH", owner, {"is_active": False}, 409),
        (owner, "PATCH", owner, {"role": "viewer"}, 409),
        (owner, "PATCH", owner, {"password": "spruce-bark-7731"}, 400),
        (owner, "PATCH", viewer, {"client_id": other.pk}, 404),
        (staff, "PATCH", viewer, {"client_id": other.pk}, 400),
        (owner, "PATCH", foreign, {"name": "N"}, 404),
        (viewer, "PATCH", owner, {"name": "N"}, 403),
        (viewer, "PATCH", viewer, {"role": "owner"}, 403),
        (owner, "DELETE", owner, None, 409),
        (staff, "DELETE", owner, None, 409),
        (viewer, "DELETE", owner, None, 403),
        (owner, "DELETE", foreign, None, 404),
    ):
        pk = user.pk if user else None
        assert_problem(
            rejected_by_both_apis(api_client_of(actor), "user", method, pk, body), status
        )
    assert User.unscoped.count() == 4


# --- Roles ---------------------------------------------------------------------------------------


def test_a_role_is_added_read_changed_and_deleted(api_client: APIClient) -> None:
    data = envelope(api_client.put("/timba/role", {"name": "guest"}), 201)
    assert (list(data), data["permissions"]) == (ROLE, [])
    response = api_client.post(
        "/api/roles/", {"name": "gate", "permissions": ["files.write", "logs.write"]}
    )
    assert (response.status_code, list(response.json())) == (201, ROLE)
    role = response.json()
    assert role["permissions"] == ["logs.write", "files.write"]
    url = f"/api/roles/{role['id']}/"
    assert api_client.get(url).json() == role
    listed = api_client.get("/api/roles/").json()["results"]
    assert listed == api_client.get("/timba/roles").json()["roles"]
    names = [each["name"] for each in listed]
    assert names == ["owner", "manager", "operator", "viewer", "guest", "gate"]
    changed = api_client.patch(url, {"permissions": []})
    assert (changed.status_code, changed.json()) == (200, {**role, "permissions": []})
    assert api_client.patch(url, {"name": "yard"}).json()["name"] == "yard"
    assert api_client.delete(url).status_code == 204
    assert_problem(api_client.get(url), 404)


def test_an_added_permission_applies_at_once(
    api_client: APIClient, make_user: MakeUser, client_company: Client
) -> None:
    role = envelope(api_client.put("/timba/role", {"name": "gate"}), 201)
    gate = api_client_of(make_user(role=Role.unscoped.get(pk=role["id"])))
    assert_problem(gate.post("/api/notes/", {"title": "Lorry"}), 403)
    api_client.patch(f"/api/roles/{role['id']}/", {"permissions": ["notes.write"]})
    assert gate.post("/api/notes/", {"title": "Lorry"}).status_code == 201


@pytest.mark.parametrize("name", ["gate", "owner", "manager", "operator", "viewer"])
def test_a_name_that_another_role_has_is_409(name: str, api_client: APIClient) -> None:
    envelope(api_client.put("/timba/role", {"name": "gate"}), 201)
    problem = assert_problem(
        rejected_by_both_apis(api_client, "role", "POST", None, {"name": name}), 409
    )
    assert problem["detail"] == f"There is a role named “{name}” already: choose another name."
    yard = api_client.post("/api/roles/", {"name": "yard"}).json()
    assert_problem(api_client.patch(f"/api/roles/{yard['id']}/", {"name": name}), 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": " gate"}, "name"),
        ({"name": "7"}, "name"),
        ({"name": "gate", "permissions": ["everything"]}, "permissions.0"),
        ({"name": "gate", "permissions": "notes.write"}, "permissions"),
        ({"name": "gate", "permissions": None}, "permissions"),
        ({"name": "gate", "client_id": "x"}, "client_id"),
    ],
)
def test_an_invalid_role_is_400(body: Any, field: str, api_client: APIClient) -> None:
    problem = assert_problem(rejected_by_both_apis(api_client, "role", "POST", None, body), 400)
    assert problem["errors"].keys() == {field}


def test_a_role_in_use_is_not_deleted(api_client: APIClient, make_user: MakeUser) -> None:
    role = api_client.post("/api/roles/", {"name": "gate"}).json()
    user = make_user(role=Role.unscoped.get(pk=role["id"]))
    problem = assert_problem(api_client.delete(f"/api/roles/{role['id']}/"), 409)
    assert problem["detail"] == "This role is in use: give its users another one first."
    assert api_client.patch(f"/api/users/{user.pk}/", {"role": "viewer"}).status_code == 200
    assert api_client.delete(f"/api/roles/{role['id']}/").status_code == 204


def test_built_in_roles_are_neither_changed_nor_deleted(owner: User, staff: User) -> None:
    viewer = Role.unscoped.get(name="viewer")
    for api_client in (api_client_of(owner), api_client_of(staff)):
        assert_problem(api_client.patch(f"/api/roles/{viewer.pk}/", {"permissions": []}), 403)
        assert_problem(api_client.delete(f"/api/roles/{viewer.pk}/"), 403)


def test_a_role_cannot_give_its_author_another_permission(
    api_client: APIClient, make_user: MakeUser, client_company: Client
) -> None:
    own = Role.unscoped.create(
        client=client_company, name="hired", permissions=["users.manage", "notes.write"]
    )
    hired = api_client_of(make_user(role=own))
    more = {"name": "more", "permissions": ["notes.write", "logs.write"]}
    assert_problem(rejected_by_both_apis(hired, "role", "POST", None, more), 403)
    assert_problem(hired.patch(f"/api/roles/{own.pk}/", more), 403)
    theirs = api_client.post("/api/roles/", more).json()
    for body in (more, {"permissions": []}, {"name": "x"}):
        assert_problem(hired.patch(f"/api/roles/{theirs['id']}/", body), 403)
    assert_problem(hired.delete(f"/api/roles/{theirs['id']}/"), 403)
    less = {"name": "less", "permissions": ["notes.write"]}
    assert hired.post("/api/roles/", less).status_code == 201
    own.refresh_from_db()
    assert own.permissions == ["users.manage", "notes.write"]


def test_staff_must_name_the_client(staff: User, owner: User) -> None:
    problem = assert_problem(
        rejected_by_both_apis(api_client_of(staff), "role", "POST", None, {"name": "x"}), 400
    )
    assert problem["errors"].keys() == {"client_id"}
    body = {"name": "gate", "client_id": owner.client_id}
    role = envelope(api_client_of(staff).put("/timba/role", body), 201)
    assert api_client_of(owner).get(f"/api/roles/{role['id']}/").json() == role


# --- Tenancy -------------------------------------------------------------------------------------


def test_foreign_and_absent_rows_get_identical_responses(api_client: APIClient) -> None:
    other = ClientFactory()
    rows = {
        "clients": other.pk,
        "users": UserFactory(client=other).pk,
        "roles": Role.unscoped.create(client=other, name="theirs").pk,
    }
    for noun, foreign in rows.items():
        for method, body in (("get", None), ("patch", {"name": "N"}), ("delete", None)):
            if (noun, method) == ("clients", "delete"):
                continue
            responses = [
                getattr(api_client, method)(f"/api/{noun}/{pk}/", body)
                for pk in (foreign, 10**6, 0, 2**63, 2**70)
            ]
            assert {response.status_code for response in responses} == {404}
            assert len({response.content for response in responses}) == 1
    for path in ("subscription/", ""):
        absent, foreign_one = (
            api_client.patch(f"/api/clients/{pk}/{path}", {}) for pk in (10**6, other.pk)
        )
        assert_problem(absent, 404)
        assert absent.content == foreign_one.content
    for url in ("/api/clients/", "/api/users/", "/api/roles/"):
        absent, foreign_one = (api_client.get(url, {"client_id": pk}) for pk in (10**6, other.pk))
        assert_problem(absent, 404)
        assert absent.content == foreign_one.content


@pytest.mark.parametrize("url", ["/api/clients/", "/api/users/", "/api/roles/", "/timba/roles"])
def test_a_list_of_30_rows_takes_as_many_queries_as_a_list_of_one(
    url: str, staff: User, client_company: Client
) -> None:
    api_client = api_client_of(staff)
    api_client.get(url)
    few = queries(lambda: api_client.get(url))
    for number in range(30):
        UserFactory(client=ClientFactory())
        Role.unscoped.create(client=client_company, name=f"role {number}")
    key = "roles" if url == "/timba/roles" else "results"
    assert len(api_client.get(url).json()[key]) > 30
    assert queries(lambda: api_client.get(url)) == few == 2  # the user, and the rows
