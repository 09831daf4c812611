"""“Clients, users, roles, consignments, logs”: `/timba/client`, `/timba/user` and `/timba/role`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import TIME, assert_problem, envelope
from tests.factories import PASSWORD, UserFactory
from timba.accounts.models import Client, Role, User
from timba.consignments.models import Consignment
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

CLIENT = [
    "id", "name", "address", "contact", "email", "time_zone", "is_active", "subscription",
    "created_at",
    "updated_at",
]  # fmt: skip
SUBSCRIPTION = [
    "plan", "seats", "status", "current_period_end", "quota_bytes", "used_bytes",
]  # fmt: skip
USER = [
    "id", "name", "username", "role_id", "contact", "address", "client_id", "is_active",
    "created_at", "updated_at",
]  # fmt: skip
MARTA = {"name": "Marta", "username": "marta", "role": "viewer", "password": "spruce-bark-7731"}


def with_body(api_client: APIClient, method: str, url: str, body: Any) -> Any:
    return api_client.generic(method, url, orjson.dumps(body), content_type="application/json")


# --- Parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["client", "user", "consignment", "log"])
def test_parameters_of_get_go_in_the_query_or_a_body_and_id_is_an_alias(
    noun: str, api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    log = {"consignment_id": consignment.pk, "length": 4, "breadth": 30, "height": 30}
    ids = {
        "client": owner.client_id,
        "user": owner.pk,
        "consignment": consignment.pk,
        "log": envelope(api_client.put("/timba/log", log), 201)["id"],
    }
    url = f"/timba/{noun}"
    bare = api_client.get(url, {f"{noun}_id": ids[noun]}).json()
    assert bare["id"] == ids[noun]
    for name in ("id", f"{noun}_id"):
        for value in (ids[noun], str(ids[noun])):
            assert api_client.get(url, {name: value}).json() == bare
            assert with_body(api_client, "GET", url, {name: value}).json() == bare
    if noun != "client":
        assert assert_problem(api_client.get(url), 400)["errors"].keys() == {f"{noun}_id"}


# --- Clients -------------------------------------------------------------------------------------


def test_staff_create_a_client_with_a_30_day_trial_and_5_seats(staff: User) -> None:
    body = {"name": "Kalni", "address": "Kandava", "contact": "+371", "email": "a@kalni.example"}
    client = envelope(api_client_of(staff).put("/timba/client", body), 201)
    assert list(client) == CLIENT
    assert {name: client[name] for name in body} == body
    assert client["is_active"] is True
    assert list(client["subscription"]) == SUBSCRIPTION
    plan = client["subscription"]
    assert (plan["plan"], plan["seats"], plan["status"]) == ("trial", 5, "trial")
    assert (plan["quota_bytes"], plan["used_bytes"]) == (None, 0)
    length = datetime.fromisoformat(plan["current_period_end"]) - datetime.fromisoformat(
        client["created_at"]
    )
    assert abs(length - timedelta(days=30)) < timedelta(minutes=1)
    assert api_client_of(staff).get("/timba/client", {"client_id": client["id"]}).json() == client


def test_a_clients_first_owner_may_be_created_with_it(staff: User) -> None:
    body = {"name": "Kalni", "username": "kalni", "password": "spruce-bark-7731"}
    client = envelope(api_client_of(staff).put("/timba/client", body), 201)
    owner = User.unscoped.get(username="kalni")
    assert (owner.client_id, owner.is_owner) == (client["id"], True)


def test_only_staff_create_clients(api_client: APIClient) -> None:
    body = {"name": "Kalni", "username": "kalni", "password": "spruce-bark-7731"}
    assert_problem(api_client.put("/timba/client", body), 403)
    assert_problem(APIClient().put("/timba/client", body), 401)


def test_open_sign_up_admits_anonymous_users_and_limits_each_address(
    db: None, settings: Any
) -> None:
    settings.TIMBA_OPEN_SIGNUP = True
    anyone = APIClient(REMOTE_ADDR="10.9.8.7")
    problem = assert_problem(anyone.put("/timba/client", {"name": "Kalni"}), 400)
    assert problem["errors"].keys() == {"username", "password"}
    responses = [
        anyone.put(
            "/timba/client",
            {"name": "Kalni", "username": f"kalni-{n}", "password": "spruce-bark-7731"},
        )
        for n in range(12)
    ]
    assert list(envelope(responses[0], 201)) == CLIENT
    assert_problem(responses[-1], 429)
    assert int(responses[-1]["Retry-After"]) > 0


def test_a_member_gets_their_own_client(api_client: APIClient, owner: User) -> None:
    client = api_client.get("/timba/client").json()
    assert list(client) == CLIENT
    assert client["id"] == owner.client_id


# --- Users ---------------------------------------------------------------------------------------


def test_a_user_is_added_read_changed_and_deleted(api_client: APIClient, owner: User) -> None:
    user = envelope(api_client.put("/timba/user", {**MARTA, "contact": "+371"}), 201)
    assert list(user) == USER
    assert (user["client_id"], user["is_active"], user["contact"]) == (
        owner.client_id,
        True,
        "+371",
    )
    assert TIME.fullmatch(user["created_at"])
    assert api_client.get("/timba/user", {"user_id": user["id"]}).json() == user
    changed = envelope(api_client.patch("/timba/user", {"id": user["id"], "name": "M."}), 200)
    assert changed == {**user, "name": "M.", "updated_at": changed["updated_at"]}
    gone = api_client.delete(f"/timba/user?user_id={user['id']}")
    assert (gone.status_code, list(gone.json())) == (200, ["message"])
    assert_problem(api_client.get("/timba/user", {"user_id": user["id"]}), 404)


def test_a_password_is_never_in_a_response(api_client: APIClient) -> None:
    put = api_client.put("/timba/user", MARTA)
    body = {"user_id": put.json()["data"]["id"], "password": "larch-bark-7731"}
    for response in (put, api_client.patch("/timba/user", body), api_client.get("/timba/users")):
        assert b"bark" not in response.content
        assert b'"password"' not in response.content


def test_a_role_is_given_by_id_or_by_name(api_client: APIClient) -> None:
    viewer = Role.unscoped.get(name="viewer").pk
    for number, role in enumerate((viewer, str(viewer), "viewer")):
        body = {**MARTA, "username": f"marta-{number}", "role": role}
        assert envelope(api_client.put("/timba/user", body), 201)["role_id"] == viewer
    assert_problem(api_client.put("/timba/user", {**MARTA, "role": "king"}), 404)


def test_more_active_users_than_seats_is_402(api_client: APIClient, client_company: Client) -> None:
    client_company.subscription.seats = 2
    client_company.subscription.save()
    marta = envelope(api_client.put("/timba/user", MARTA), 201)
    another = {**MARTA, "username": "another"}
    assert_problem(api_client.put("/timba/user", another), 402)
    spare = envelope(api_client.put("/timba/user", {**another, "is_active": False}), 201)
    activation = {"user_id": spare["id"], "is_active": True}
    assert_problem(api_client.patch("/timba/user", activation), 402)
    envelope(api_client.patch("/timba/user", {"user_id": marta["id"], "is_active": False}), 200)
    envelope(api_client.patch("/timba/user", activation), 200)


def test_rows_of_a_deleted_user_stay_without_author(
    api_client: APIClient, make_user: MakeUser
) -> None:
    manager = make_user(role="manager")
    body = {"name": "Load", "type": "pinewood"}
    consignment = envelope(api_client_of(manager).put("/timba/consignment", body), 201)
    note = api_client_of(manager).post("/api/notes/", {"title": "Lorry"}).json()
    assert consignment["created_by"] == manager.pk
    assert api_client.delete(f"/timba/user?user_id={manager.pk}").status_code == 200
    left = api_client.get("/timba/consignment", {"id": consignment["id"]}).json()
    assert (left["created_by"], left["updated_by"]) == (None, None)
    assert Note.unscoped.get(pk=note["id"]).created_by is None


def test_deleting_oneself_or_the_last_active_owner_is_409(
    api_client: APIClient, owner: User, staff: User
) -> None:
    UserFactory(client=owner.client, is_active=False)
    assert_problem(api_client.delete(f"/timba/user?user_id={owner.pk}"), 409)
    assert_problem(api_client_of(staff).delete(f"/timba/user?user_id={owner.pk}"), 409)
    demotion = {"user_id": owner.pk, "role": "viewer"}
    assert_problem(api_client_of(staff).patch("/timba/user", demotion), 409)


def test_every_user_may_change_their_own_particulars_and_password(make_user: MakeUser) -> None:
    viewer = make_user(role="viewer")
    own = {"user_id": viewer.pk}
    fields = {"name": "V.", "address": "Kandava", "contact": "+371"}
    envelope(api_client_of(viewer).patch("/timba/user", {**own, **fields}), 200)
    new = {**own, "password": "spruce-bark-7731"}
    assert_problem(api_client_of(viewer).patch("/timba/user", new), 400)
    assert_problem(
        api_client_of(viewer).patch("/timba/user", {**new, "current_password": "no"}), 400
    )
    envelope(api_client_of(viewer).patch("/timba/user", {**new, "current_password": PASSWORD}), 200)
    viewer.refresh_from_db()  # the change of password has revoked every sign-in
    assert_problem(api_client_of(viewer).patch("/timba/user", {**own, "role": "owner"}), 403)


def test_a_user_grants_only_permissions_they_have_and_only_owners_create_owners(
    api_client: APIClient, make_user: MakeUser, client_company: Client
) -> None:
    chief = Role.unscoped.create(
        client=client_company, name="chief", permissions=["users.manage", "notes.write"]
    )
    hired = make_user(role=chief)
    for role in ("owner", "manager", "operator"):
        assert_problem(api_client_of(hired).put("/timba/user", {**MARTA, "role": role}), 403)
    assert api_client_of(hired).put("/timba/user", {**MARTA, "role": "viewer"}).status_code == 201
    second = make_user()
    for method, body in (("patch", {"user_id": second.pk, "name": "x"}), ("delete", None)):
        response = getattr(api_client_of(hired), method)(f"/timba/user?user_id={second.pk}", body)
        assert_problem(response, 403)
    demotion = {"user_id": second.pk, "role": "manager"}
    assert envelope(api_client.patch("/timba/user", demotion), 200)["id"] == second.pk


def test_users_and_roles_are_listed(api_client: APIClient, make_user: MakeUser) -> None:
    make_user(role="viewer")
    payload = api_client.get("/timba/users").json()
    assert list(payload) == ["users", "next"]
    assert [list(user) for user in payload["users"]] == [USER] * 2
    payload = api_client.get("/timba/roles").json()
    assert list(payload) == ["roles", "next"]
    everything = ["users.manage", "consignments.write", "logs.write", "files.write", "notes.write"]
    assert [(role["name"], role["permissions"]) for role in payload["roles"]] == [
        ("owner", everything),
        ("manager", everything[1:]),
        ("operator", everything[2:]),
        ("viewer", []),
    ]
    assert [list(role) for role in payload["roles"]] == [["id", "name", "permissions"]] * 4


def test_usernames_are_case_sensitive(api_client: APIClient) -> None:
    envelope(api_client.put("/timba/user", MARTA), 201)
    assert_problem(api_client.put("/timba/user", MARTA), 409)
    assert envelope(api_client.put("/timba/user", {**MARTA, "username": "Marta"}), 201)
