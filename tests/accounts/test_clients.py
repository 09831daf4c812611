"""Clients and the administrator: staff open and suspend clients, managers change their details."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import PASSWORD, ClientFactory
from timba.accounts.models import Client, User
from timba.accounts.services import (
    FirstOwner,
    change_client,
    create_administrator,
    open_client,
    sign_up,
)
from timba.accounts.time_zones import client_zone
from timba.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
)


def test_staff_open_a_client_in_its_trial(staff: User) -> None:
    client = open_client(actor=staff, name="Abava Timber", email="gate@abava.example")
    left = client.subscription.current_period_end - timezone.now()
    assert (client.subscription.status, client.subscription.seats) == ("trial", 5)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert client.is_active


def test_only_staff_open_clients(make_user: MakeUser) -> None:
    with pytest.raises(Forbidden):
        open_client(actor=make_user(), name="Mine")
    assert Client.unscoped.count() == 1


def test_a_client_is_created_with_its_first_owner(staff: User) -> None:
    client = open_client(
        actor=staff, name="Abava", owner=FirstOwner(username="anna", password=PASSWORD)
    )
    anna = User.unscoped.get(username="anna")
    assert (anna.client, anna.is_owner, anna.name) == (client, True, "anna")
    assert anna.check_password(PASSWORD)


def test_a_client_with_an_invalid_first_owner_is_not_created(staff: User) -> None:
    with pytest.raises(Conflict, match=r"^This username is taken: choose another one\.$"):
        open_client(
            actor=staff,
            name="Abava",
            owner=FirstOwner(username=staff.username, password=PASSWORD),
        )
    with pytest.raises(Invalid) as refused:
        open_client(actor=staff, name="Abava", owner=FirstOwner(username="a", password="12345678"))
    assert list(refused.value.fields) == ["password"]
    assert not Client.unscoped.exists()


def test_sign_up_needs_its_setting(db: None, settings: Any) -> None:
    owner = FirstOwner(username="anna", password=PASSWORD)
    with pytest.raises(NotSignedIn):
        sign_up(owner=owner, name="Abava")
    settings.TIMBA_OPEN_SIGNUP = True
    assert sign_up(owner=owner, name="Abava").users.get().is_owner


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "A", "email": "nobody"}, "email"),
        ({"name": "A", "address": "x" * 501}, "address"),
    ],
)
def test_invalid_texts_of_a_client_are_rejected(
    texts: dict[str, str], field: str, staff: User
) -> None:
    with pytest.raises(Invalid) as refused:
        open_client(actor=staff, **texts)
    assert list(refused.value.fields) == [field]


def test_users_who_manage_users_change_the_client(make_user: MakeUser) -> None:
    owner = make_user()
    changed = change_client(actor=owner, client=owner.client, name="Abava", email="a@abava.example")
    stored = Client.unscoped.get()
    assert (
        (stored.name, stored.email)
        == (changed.name, changed.email)
        == (
            "Abava",
            "a@abava.example",
        )
    )
    for name in ("manager", "operator", "viewer"):
        with pytest.raises(Forbidden):
            change_client(actor=make_user(role=name), client=owner.client, name="Mine")
    with pytest.raises(Invalid) as refused:
        change_client(actor=owner, client=owner.client, email="nobody")
    assert list(refused.value.fields) == ["email"]


@pytest.mark.parametrize(
    "name", ["Europe/Rīga", "europe/riga", "+02:00", "", "localtime", "../UTC"]
)
def test_a_time_zone_is_one_of_the_iana_database(name: str, make_user: MakeUser) -> None:
    owner = make_user()
    assert owner.client.time_zone == "UTC"
    change_client(actor=owner, client=owner.client, time_zone="Europe/Riga")
    with pytest.raises(Invalid) as refused:
        change_client(actor=owner, client=owner.client, time_zone=name)
    assert list(refused.value.fields) == ["time_zone"]
    assert client_zone(Client.unscoped.get()).key == "Europe/Riga"


def test_changing_another_client_is_not_found(make_user: MakeUser) -> None:
    with pytest.raises(NotFound):
        change_client(actor=make_user(), client=ClientFactory(), name="Mine")


def test_only_staff_suspend_and_reactivate_a_client(make_user: MakeUser, staff: User) -> None:
    owner = make_user()
    with pytest.raises(Forbidden, match=r"only the platform's staff suspend clients\.$"):
        change_client(actor=owner, client=owner.client, name="Mine", is_active=False)
    for is_active in (False, True):
        change_client(actor=staff, client=owner.client, is_active=is_active)
        assert User.unscoped.get(pk=owner.pk).can_sign_in is is_active
    # A value that does not change needs no permission.
    assert change_client(actor=owner, client=owner.client, name="A", is_active=True).name == "A"


# --- The administrator ---------------------------------------------------------------------------


def test_the_administrator_is_created_once(db: None) -> None:
    assert create_administrator(username="admin", password=PASSWORD)
    assert not create_administrator(username="admin", password="another")
    admin = User.unscoped.get()
    assert (admin.is_staff, admin.is_superuser, admin.client) == (True, True, None)
    assert admin.check_password(PASSWORD)


def test_the_username_of_a_clients_user_is_rejected(make_user: MakeUser) -> None:
    make_user(username="admin")
    with pytest.raises(Conflict, match=r"^“admin” is a client's user: rename that user first\.$"):
        create_administrator(username="admin", password=PASSWORD)
