"""`/timba/roles`: the built-in roles first, then those of the client."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import Client, Role, User

BUILT_IN = ["owner", "manager", "operator", "viewer"]

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = pytest.mark.only_on("sqlite")


def names(response: dict[str, list[dict[str, object]]]) -> list[object]:
    return [role["name"] for role in response["roles"]]


def test_the_built_in_roles_come_first(make_user: MakeUser, client_company: Client) -> None:
    Role.unscoped.create(client=client_company, name="gate", permissions=["logs.write"])
    Role.unscoped.create(client=ClientFactory(), name="theirs")
    response = api_client_of(make_user(role="viewer")).get("/timba/roles")
    assert response.status_code == 200
    assert list(response.json()) == ["roles", "next"]
    assert names(response.json()) == [*BUILT_IN, "gate"]
    assert [list(role) for role in response.json()["roles"]] == [["id", "name", "permissions"]] * 5
    assert response.json()["roles"][2]["permissions"] == [
        "logs.write",
        "files.write",
        "notes.write",
    ]


def test_roles_come_in_pages(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    first = api_client.get("/timba/roles/?limit=3").json()
    second = api_client.get(first["next"]).json()
    assert names(first) + names(second) == BUILT_IN
    assert second["next"] is None


def test_staff_see_all_roles_or_those_of_one_client(staff: User, client_company: Client) -> None:
    Role.unscoped.create(client=client_company, name="gate")
    Role.unscoped.create(client=ClientFactory(), name="theirs")
    api_client = api_client_of(staff)
    assert names(api_client.get("/timba/roles").json()) == [*BUILT_IN, "gate", "theirs"]
    one = api_client.get(f"/timba/roles?client_id={client_company.pk}")
    assert names(one.json()) == [*BUILT_IN, "gate"]


def test_foreign_and_absent_clients_are_the_same(make_user: MakeUser) -> None:
    api_client = api_client_of(make_user())
    absent = api_client.get("/timba/roles?client_id=999999")
    assert absent.status_code == 404
    assert api_client.get(f"/timba/roles?client_id={ClientFactory().pk}").content == absent.content


def test_anonymous_users_see_no_roles(db: None) -> None:
    assert APIClient().get("/timba/roles").status_code == 401
