"""`/timba/client`: staff create clients, and users see their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import PASSWORD, ClientFactory
from timba.accounts.models import Client, User

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = pytest.mark.only_on("sqlite")

FIELDS = [
    "id", "name", "address", "contact", "email", "time_zone", "is_active", "subscription",
    "created_at",
    "updated_at",
]  # fmt: skip
ABAVA = {
    "name": "Abava Timber",
    "address": "Kandava",
    "contact": "Anna",
    "email": "gate@abava.example",
}


def test_staff_create_a_client(staff: User) -> None:
    response = api_client_of(staff).put("/timba/client", ABAVA)
    assert response.status_code == 201
    assert response.json()["message"] == "The client has been added."
    data = response.json()["data"]
    assert list(data) == FIELDS
    assert {name: data[name] for name in ABAVA} == ABAVA
    assert data["is_active"] is True
    assert list(data["subscription"]) == [
        *("plan", "seats", "status", "current_period_end", "quota_bytes", "used_bytes")
    ]
    assert (data["subscription"]["status"], data["subscription"]["seats"]) == ("trial", 5)
    assert data["created_at"].endswith("Z")
    assert datetime.fromisoformat(data["subscription"]["current_period_end"])
    assert api_client_of(staff).get(f"/timba/client?client_id={data['id']}").json() == data


def test_only_a_name_is_needed(staff: User) -> None:
    data = api_client_of(staff).put("/timba/client/", {"name": "A"}).json()["data"]
    assert (data["address"], data["contact"], data["email"]) == ("", "", "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"name": "A", "email": "nobody"}, "email"),
        ({"name": "A", "username": "a"}, "password"),
        ({"name": "A", "password": "spruce-bark-7731"}, "username"),
        ({"name": "A", "username": "a", "password": "1234"}, "password"),
        ({"name": "A", "username": " a", "password": "spruce-bark-7731"}, "username"),
    ],
)
def test_invalid_client_is_rejected(body: dict[str, Any], field: str, staff: User) -> None:
    response = api_client_of(staff).put("/timba/client", body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Client.unscoped.exists()


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_members_cannot_create_a_client(role: str, make_user: MakeUser) -> None:
    assert api_client_of(make_user(role=role)).put("/timba/client", ABAVA).status_code == 403
    assert Client.unscoped.count() == 1


def test_anonymous_users_cannot_create_a_client(db: None) -> None:
    assert APIClient().put("/timba/client", ABAVA).status_code == 401
    assert APIClient().get("/timba/client").status_code == 401


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_members_see_their_own_client(role: str, make_user: MakeUser) -> None:
    user = make_user(role=role)
    api_client = api_client_of(user)
    own = api_client.get("/timba/client")
    assert own.status_code == 200
    assert list(own.json()) == FIELDS
    assert own.json()["id"] == user.client_id
    body = f'{{"client_id": {user.client_id}}}'.encode()
    for same in (
        api_client.get(f"/timba/client/?client_id={user.client_id}"),
        api_client.get(f"/timba/client?id={user.client_id}"),
        api_client.generic("GET", "/timba/client", body, content_type="application/json"),
    ):
        assert same.content == own.content


def test_foreign_and_absent_clients_are_the_same(make_user: MakeUser) -> None:
    foreign = ClientFactory().pk
    api_client = api_client_of(make_user())
    absent = api_client.get("/timba/client?client_id=999999")
    assert (absent.status_code, absent.json()["detail"]) == (404, "There is no such client.")
    for value in (foreign, 0, 2**63, 2**70):
        assert api_client.get(f"/timba/client?client_id={value}").content == absent.content
    assert api_client.get("/timba/client?client_id=x").status_code == 400
    assert api_client.get("/timba/client?client_id=-1").status_code == 400


def test_staff_give_the_id_of_the_client(staff: User) -> None:
    api_client = api_client_of(staff)
    assert api_client.get("/timba/client").status_code == 400
    assert api_client.get("/timba/client?id=999").status_code == 404


def test_other_methods_of_a_client_are_not_allowed(staff: User) -> None:
    assert api_client_of(staff).post("/timba/client", ABAVA).status_code == 405
    assert api_client_of(staff).delete("/timba/client").status_code == 405


def test_same_idempotency_key_creates_one_client(staff: User) -> None:
    api_client = api_client_of(staff)
    responses = [
        api_client.put("/timba/client", ABAVA, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [response.status_code for response in responses] == [201, 201]
    assert responses[0].json() == responses[1].json()
    assert Client.unscoped.count() == 1


# --- Open sign-up --------------------------------------------------------------------------------

OWNER = {"username": "anna", "password": "spruce-bark-7731"}


@pytest.fixture
def open_signup(settings: Any, db: None) -> None:
    settings.TIMBA_OPEN_SIGNUP = True


def test_open_sign_up_creates_the_first_owner(open_signup: None) -> None:
    response = APIClient().put("/timba/client", ABAVA | OWNER)
    assert response.status_code == 201
    assert b"spruce" not in response.content
    anna = User.unscoped.get(username="anna")
    assert (anna.client_id, anna.is_owner) == (response.json()["data"]["id"], True)
    assert APIClient().post("/api/token/", OWNER).status_code == 200


@pytest.mark.parametrize("missing", ["name", "username", "password"])
def test_a_sign_up_needs_an_owner(missing: str, open_signup: None) -> None:
    body = {name: text for name, text in {**ABAVA, **OWNER}.items() if name != missing}
    response = APIClient().put("/timba/client", body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [missing]


def test_sign_up_with_a_username_in_use_is_a_conflict(
    open_signup: None, make_user: MakeUser
) -> None:
    make_user(username="anna")
    response = APIClient().put("/timba/client", ABAVA | OWNER)
    assert response.status_code == 409
    assert response.json()["detail"] == "This username is taken: choose another one."
    assert Client.unscoped.count() == 1


def test_sign_ups_are_limited_by_address(open_signup: None, staff: User) -> None:
    for number in range(10):
        body = {**ABAVA, **OWNER, "username": f"anna-{number}"}
        assert APIClient().put("/timba/client", body).status_code == 201
    refused = APIClient().put("/timba/client", {**ABAVA, **OWNER, "username": "more"})
    assert refused.status_code == 429
    assert 3500 <= int(refused["Retry-After"]) <= 3600
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.9")
    assert elsewhere.put("/timba/client", ABAVA | OWNER).status_code == 201
    assert api_client_of(staff).put("/timba/client", ABAVA).status_code == 201


def test_sign_ups_are_limited_by_ipv6_network(open_signup: None) -> None:
    for number in range(10):
        body = {**ABAVA, **OWNER, "username": f"anna-{number}"}
        anyone = APIClient(REMOTE_ADDR=f"2001:db8:1:2:{number}::1")
        assert anyone.put("/timba/client", body).status_code == 201
    refused = APIClient(REMOTE_ADDR="2001:db8:1:2::9").put("/timba/client", ABAVA | OWNER)
    assert refused.status_code == 429
    elsewhere = APIClient(REMOTE_ADDR="2001:db8:1:3::1")
    assert elsewhere.put("/timba/client", ABAVA | OWNER).status_code == 201


def test_open_sign_up_allows_only_creation(open_signup: None) -> None:
    assert APIClient().get("/timba/client").status_code == 401


def test_members_may_sign_up_another_client(open_signup: None, make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    assert api_client.put("/timba/client", ABAVA).status_code == 400
    assert api_client.put("/timba/client", ABAVA | OWNER).status_code == 201
    assert APIClient().post("/api/token/", {**OWNER, "password": PASSWORD}).status_code == 401
