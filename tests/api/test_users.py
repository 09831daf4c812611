"""`/timba/user` and `/timba/users`, and their separation of clients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import PASSWORD, ClientFactory
from timba.accounts.models import Client, Role, User

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = pytest.mark.only_on("sqlite")

FIELDS = [
    "id", "name", "username", "role_id", "contact", "address", "client_id", "is_active",
    "created_at", "updated_at",
]  # fmt: skip
MARTA = {
    "name": "Marta",
    "username": "marta",
    "address": "Kandava",
    "contact": "+371 200",
    "role": "operator",
    "password": "spruce-bark-7731",
}


def with_body(api_client: APIClient, method: str, url: str, body: Any) -> Any:
    return api_client.generic(method, url, orjson.dumps(body), content_type="application/json")


# --- PUT -----------------------------------------------------------------------------------------


def test_an_owner_adds_a_user_who_can_sign_in(make_user: MakeUser) -> None:
    owner = make_user()
    response = api_client_of(owner).put("/timba/user", MARTA)
    assert response.status_code == 201
    assert response.json()["message"] == "The user has been added."
    data = response.json()["data"]
    assert list(data) == FIELDS
    expected = {name: MARTA[name] for name in ("name", "username", "address", "contact")}
    assert {name: data[name] for name in expected} == expected
    assert (data["client_id"], data["is_active"]) == (owner.client_id, True)
    assert data["role_id"] == Role.unscoped.get(name="operator").pk
    assert b"spruce" not in response.content
    credentials = {"username": "marta", "password": MARTA["password"]}
    assert APIClient().post("/api/token/", credentials).status_code == 200


def test_role_is_given_by_id_or_name(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    viewer = Role.unscoped.get(name="viewer").pk
    for number, role in enumerate(["viewer", viewer, str(viewer)]):
        body = {**MARTA, "username": f"u{number}", "role": role}
        assert api_client.put("/timba/user/", body).json()["data"]["role_id"] == viewer


@pytest.mark.parametrize("field", ["name", "username", "role"])
@pytest.mark.parametrize("value", [None, "", [], {}, True, ...])
def test_required_fields_of_a_user(field: str, value: Any, make_user: MakeUser) -> None:
    body = {name: text for name, text in {**MARTA, field: value}.items() if text is not ...}
    response = api_client_of(make_user()).put("/timba/user", body)
    if (field, value) == ("role", ""):
        assert response.status_code == 404
    else:
        assert response.status_code == 400
        assert list(response.json()["errors"]) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 201),
        ("username", "x" * 151),
        ("username", " marta"),
        ("username", "mar\nta"),
        ("address", "x" * 501),
        ("contact", "x" * 201),
        ("password", "1234"),
        ("password", "password123"),
        ("password", None),
        ("is_active", "perhaps"),
        ("is_active", None),
        ("role", 1.5),
        ("client_id", "x"),
        ("client_id", True),
        ("client_id", -1),
    ],
)
def test_invalid_field_is_named(field: str, value: Any, make_user: MakeUser) -> None:
    response = api_client_of(make_user()).put("/timba/user", {**MARTA, field: value})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_body_other_than_an_object_is_400(body: Any, make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    for method in ("PUT", "PATCH", "GET", "DELETE"):
        assert with_body(api_client, method, "/timba/user", body).status_code == 400


def test_staff_say_for_which_client(staff: User, client_company: Client) -> None:
    api_client = api_client_of(staff)
    response = api_client.put("/timba/user", MARTA)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["client_id"]
    response = api_client.put("/timba/user", {**MARTA, "client_id": client_company.pk})
    assert response.json()["data"]["client_id"] == client_company.pk


@pytest.mark.parametrize("role", ["manager", "operator", "viewer"])
def test_users_manage_is_required(role: str, make_user: MakeUser) -> None:
    api_client, other = api_client_of(make_user(role=role)), make_user(role="viewer")
    assert api_client.put("/timba/user", MARTA).status_code == 403
    assert api_client.patch("/timba/user", {"id": other.pk, "name": "N"}).status_code == 403
    assert api_client.delete(f"/timba/user?id={other.pk}").status_code == 403


def test_username_in_use_is_409_across_clients(make_user: MakeUser) -> None:
    make_user(username="marta", client=ClientFactory())
    response = api_client_of(make_user()).put("/timba/user", MARTA)
    assert response.status_code == 409
    assert response.json()["detail"] == "This username is taken: choose another one."


def test_more_users_than_seats_are_402(make_user: MakeUser, client_company: Client) -> None:
    client_company.subscription.seats = 1
    client_company.subscription.save()
    api_client = api_client_of(make_user())
    response = api_client.put("/timba/user", MARTA)
    assert response.status_code == 402
    assert response.json()["detail"] == (
        "All seats of the subscription are taken: deactivate a user or add seats."
    )
    asleep = api_client.put("/timba/user", {**MARTA, "is_active": False})
    assert asleep.status_code == 201
    body = {"user_id": asleep.json()["data"]["id"], "is_active": True}
    assert api_client.patch("/timba/user", body).status_code == 402


def test_a_lapsed_client_reads_but_does_not_write(
    make_user: MakeUser, client_company: Client
) -> None:
    owner, other = make_user(), make_user()
    client_company.subscription.current_period_end = timezone.now() - timedelta(days=1)
    client_company.subscription.save()
    api_client = api_client_of(owner)
    assert api_client.put("/timba/user", MARTA).status_code == 402
    assert api_client.patch("/timba/user", {"id": owner.pk, "name": "N"}).status_code == 402
    assert api_client.delete(f"/timba/user?id={other.pk}").status_code == 402
    assert api_client.get(f"/timba/user?id={other.pk}").status_code == 200
    assert api_client.get("/timba/users").status_code == 200
    assert api_client.get("/timba/client").json()["subscription"]["status"] == "lapsed"


def test_same_idempotency_key_adds_one_user(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    key = {"Idempotency-Key": "one"}
    first, second = (api_client.put("/timba/user", MARTA, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = api_client.put("/timba/user", {**MARTA, "username": "x"}, headers=key)
    assert other.status_code == 409


# --- GET -----------------------------------------------------------------------------------------


def test_parameters_go_in_the_query_or_in_a_body(make_user: MakeUser) -> None:
    user = make_user()
    api_client = api_client_of(make_user(role="viewer"))
    bare = api_client.get(f"/timba/user?user_id={user.pk}")
    assert bare.status_code == 200
    assert list(bare.json()) == FIELDS
    assert bare.json()["username"] == user.username
    for same in (
        api_client.get(f"/timba/user/?id={user.pk}"),
        with_body(api_client, "GET", "/timba/user", {"user_id": user.pk}),
        with_body(api_client, "GET", "/timba/user/", {"id": str(user.pk)}),
    ):
        assert same.content == bare.content


def test_user_id_is_required(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    for response in (
        api_client.get("/timba/user"),
        api_client.get("/timba/user?user_id="),
        api_client.patch("/timba/user", {"name": "N"}),
        api_client.delete("/timba/user"),
    ):
        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["user_id"]


@pytest.mark.parametrize("value", ["x", -1, 1.5, True, [1], {"a": 1}])
def test_invalid_id_is_400(value: Any, make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    for method in ("GET", "PATCH", "DELETE"):
        assert with_body(api_client, method, "/timba/user", {"id": value}).status_code == 400


def test_users_are_listed_by_id_in_pages(make_user: MakeUser) -> None:
    users = [make_user(role="viewer") for _ in range(5)]
    make_user(client=ClientFactory())
    api_client = api_client_of(users[0])
    whole = api_client.get("/timba/users").json()
    assert [user["id"] for user in whole["users"]] == [user.pk for user in users]
    assert (list(whole["users"][0]), whole["next"]) == (FIELDS, None)
    for start in (
        api_client.get("/timba/users/?limit=2"),
        with_body(api_client, "GET", "/timba/users", {"limit": 2}),
    ):
        seen, page = [], start.json()
        while True:
            seen += page["users"]
            if page["next"] is None:
                break
            assert len(page["users"]) == 2
            page = api_client.get(page["next"]).json()
        assert seen == whole["users"]


@pytest.mark.parametrize("parameter", ["limit=0", "limit=1001", "limit=x", "cursor=x"])
def test_invalid_page_is_400(parameter: str, make_user: MakeUser) -> None:
    assert api_client_of(make_user()).get(f"/timba/users?{parameter}").status_code == 400


def test_the_list_takes_a_constant_number_of_queries(
    make_user: MakeUser, django_assert_num_queries: Any
) -> None:
    users = [make_user(role="viewer") for _ in range(20)]
    api_client = api_client_of(users[0])
    with django_assert_num_queries(2):  # who asks, and the users
        assert len(api_client.get("/timba/users").json()["users"]) == 20


def test_staff_see_all_users_or_one_clients(
    make_user: MakeUser, staff: User, client_company: Client
) -> None:
    own, foreign = make_user(), make_user(client=ClientFactory())
    api_client = api_client_of(staff)
    everyone = api_client.get("/timba/users").json()["users"]
    assert {user["id"] for user in everyone} == {own.pk, foreign.pk, staff.pk}
    for response in (
        api_client.get(f"/timba/users?client_id={client_company.pk}"),
        with_body(api_client, "GET", "/timba/users", {"client_id": client_company.pk}),
    ):
        assert [user["id"] for user in response.json()["users"]] == [own.pk]
    assert api_client.get(f"/timba/user?id={staff.pk}").json()["client_id"] is None


# --- PATCH ---------------------------------------------------------------------------------------


def test_an_owner_changes_a_user(make_user: MakeUser) -> None:
    user = make_user(role="viewer")
    body = {"user_id": user.pk, "name": "N", "username": "n", "role": "manager", "contact": ""}
    response = api_client_of(make_user()).patch("/timba/user", body)
    assert response.status_code == 200
    assert response.json()["message"] == "The user has been changed."
    data = response.json()["data"]
    assert list(data) == FIELDS
    assert (data["name"], data["username"], data["contact"]) == ("N", "n", "")
    assert data["role_id"] == Role.unscoped.get(name="manager").pk
    assert data["updated_at"] > data["created_at"]


def test_users_change_their_own_name_and_password(make_user: MakeUser) -> None:
    user = make_user(role="viewer")
    api_client = api_client_of(user)
    assert api_client.patch("/timba/user", {"id": user.pk, "name": "N"}).status_code == 200
    new = {"id": user.pk, "password": "spruce-bark-7731"}
    for wrong in (new, {**new, "current_password": "wrong"}):
        response = api_client.patch("/timba/user", wrong)
        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["current_password"]
    right = api_client.patch("/timba/user", {**new, "current_password": PASSWORD})
    assert right.status_code == 200
    assert b"spruce" not in right.content
    assert api_client.get("/timba/client").status_code == 401
    credentials = {"username": user.username, "password": "spruce-bark-7731"}
    assert APIClient().post("/api/token/", credentials).status_code == 200


@pytest.mark.parametrize("change", [{"role": "owner"}, {"username": "x"}, {"is_active": True}])
def test_users_cannot_raise_their_own_role(change: dict[str, Any], make_user: MakeUser) -> None:
    user = make_user(role="manager")
    response = api_client_of(user).patch("/timba/user", {"id": user.pk, **change})
    assert response.status_code == 403
    assert User.unscoped.get(pk=user.pk).role.name == "manager"


@pytest.mark.parametrize("change", [{"is_staff": True}, {"is_superuser": True}, {"id": 1}])
def test_unknown_fields_change_nothing(change: dict[str, Any], make_user: MakeUser) -> None:
    owner = make_user()
    response = api_client_of(owner).patch("/timba/user", {"user_id": owner.pk, **change})
    assert response.status_code == 200
    assert not User.unscoped.filter(is_staff=True).exists()


def test_a_user_stays_with_one_client(
    make_user: MakeUser, staff: User, client_company: Client
) -> None:
    user, other = make_user(), ClientFactory()
    api_client = api_client_of(staff)
    body = {"user_id": user.pk, "client_id": other.pk}
    assert api_client.patch("/timba/user", body).status_code == 400
    assert api_client.patch("/timba/user", {**body, "client_id": 10**6}).status_code == 404
    body["client_id"] = client_company.pk
    assert api_client.patch("/timba/user", body).status_code == 200


def test_last_owner_cannot_be_removed(make_user: MakeUser) -> None:
    owner = make_user()
    api_client = api_client_of(owner)
    for change in ({"role": "viewer"}, {"is_active": False}):
        response = api_client.patch("/timba/user", {"id": owner.pk, **change})
        assert response.status_code == 409
    assert api_client.delete(f"/timba/user?id={owner.pk}").status_code == 409


# --- DELETE --------------------------------------------------------------------------------------


def test_an_owner_deletes_a_user(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    for number in range(2):
        user = make_user(role="viewer")
        if number:
            response = with_body(api_client, "DELETE", "/timba/user", {"user_id": user.pk})
        else:
            response = api_client.delete(f"/timba/user/?user_id={user.pk}")
        assert response.status_code == 200
        assert response.json() == {"message": "The user has been deleted."}
        assert api_client.get(f"/timba/user?id={user.pk}").status_code == 404


# --- Apart ---------------------------------------------------------------------------------------


def test_foreign_and_absent_users_are_the_same(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    foreign = make_user(client=ClientFactory())
    for method, more in (("GET", {}), ("PATCH", {"name": "N"}), ("DELETE", {})):
        responses = [
            with_body(api_client, method, "/timba/user", {"user_id": value, **more})
            for value in (foreign.pk, 10**6, 0, 2**63 - 1, 2**63, str(2**70))
        ]
        assert {response.status_code for response in responses} == {404}
        assert len({response.content for response in responses}) == 1
    assert User.unscoped.get(pk=foreign.pk).name == foreign.name


def test_foreign_and_absent_clients_are_the_same(make_user: MakeUser) -> None:
    user = make_user()
    api_client, foreign = api_client_of(user), ClientFactory().pk
    for absent, stranger in (
        [api_client.get(f"/timba/users?client_id={value}") for value in (10**6, foreign)],
        [api_client.put("/timba/user", {**MARTA, "client_id": v}) for v in (10**6, foreign)],
        [
            api_client.patch("/timba/user", {"id": user.pk, "client_id": v})
            for v in (10**6, foreign)
        ],
    ):
        assert absent.status_code == 404
        assert absent.content == stranger.content


def test_foreign_and_absent_roles_are_the_same(make_user: MakeUser) -> None:
    user = make_user()
    api_client = api_client_of(user)
    foreign = Role.unscoped.create(client=ClientFactory(), name="theirs")
    for role in (foreign.pk, foreign.name):
        absent = 10**6 if isinstance(role, int) else "nobody's"
        for method, body in (("PUT", MARTA), ("PATCH", {"id": user.pk})):
            responses = [
                with_body(api_client, method, "/timba/user", {**body, "role": value})
                for value in (role, absent, 2**63, str(2**70))
            ]
            assert {response.status_code for response in responses} == {404}
            assert len({response.content for response in responses}) == 1


def test_anonymous_requests_are_401(db: None) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        response = with_body(APIClient(), method, "/timba/user", {})
        assert response.status_code == 401
    assert APIClient().get("/timba/users").status_code == 401


def test_a_browser_writes_only_with_its_csrf_token(make_user: MakeUser) -> None:
    owner = make_user()
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(owner, backend="timba.accounts.sign_in.MemberBackend")
    body = {"id": owner.pk, "name": "N"}
    assert browser.patch("/timba/user", body).status_code == 403
    token = "x" * 32
    browser.cookies["csrftoken"] = token
    response = browser.patch("/timba/user", body, headers={"X-CSRFToken": token})
    assert response.status_code == 200
