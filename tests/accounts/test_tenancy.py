"""Tenancy: rows are visible only through `visible_to`, and only those of the user's client."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import Client, Role, User
from timba.errors import NotFound
from timba.notes.models import Note

MODELS = [Client, Role, User, Note]


@pytest.fixture
def notes(make_user: MakeUser) -> dict[str, Note]:
    own, foreign = make_user(), make_user(client=ClientFactory())
    return {
        name: Note.objects.create(client=user.client, title=name, created_by=user)
        for name, user in {"own": own, "foreign": foreign}.items()
    }


@pytest.mark.parametrize("model", MODELS)
def test_objects_returns_no_rows_by_itself(model: type, notes: dict[str, Note]) -> None:
    assert model.unscoped.exists()
    assert not model.objects.all().exists()
    assert not model.objects.filter(pk__gt=0).exists()
    assert model.objects.count() == 0


@pytest.mark.parametrize("model", MODELS)
def test_anonymous_and_inactive_users_see_nothing(model: type, notes: dict[str, Note]) -> None:
    inactive = notes["own"].created_by
    inactive.is_active = False
    pk = model.unscoped.values_list("pk", flat=True)[0]
    for stranger in (AnonymousUser(), None, User(is_active=True), inactive):
        assert not model.objects.visible_to(stranger).exists()
        with pytest.raises(NotFound):
            model.objects.get_visible(stranger, pk)


def test_users_see_the_rows_of_their_own_client(notes: dict[str, Note]) -> None:
    user = notes["own"].created_by
    assert list(Note.objects.visible_to(user)) == [notes["own"]]
    assert list(User.objects.visible_to(user)) == [user]
    assert list(Client.objects.visible_to(user)) == [user.client]


def test_staff_see_all_rows(notes: dict[str, Note], staff: User) -> None:
    assert Note.objects.visible_to(staff).count() == 2
    assert Client.objects.visible_to(staff).count() == 2
    assert User.objects.visible_to(staff).count() == 3


def test_users_see_built_in_roles_and_those_of_their_client(make_user: MakeUser) -> None:
    user, stranger = make_user(), make_user(client=ClientFactory())
    Role.unscoped.create(client=user.client, name="gate", permissions=["logs.write"])
    built_in = ["owner", "manager", "operator", "viewer"]
    assert [role.name for role in Role.objects.visible_to(user)] == [*built_in, "gate"]
    assert [role.name for role in Role.objects.visible_to(stranger)] == built_in


@pytest.mark.parametrize("pk", [0, -1, 10**6, 2**63, 2**70, "x", "", None])
def test_absent_rows_are_not_found(pk: object, make_user: MakeUser) -> None:
    user = make_user()
    with pytest.raises(NotFound, match=r"^There is no such user\.$"):
        User.objects.visible_to(user).get_or_not_found(pk=pk)
    with pytest.raises(NotFound, match=r"^There is no such user\.$"):
        User.objects.get_visible(user, pk)


def test_other_clients_rows_and_absent_rows_are_indistinguishable(notes: dict[str, Note]) -> None:
    user = notes["own"].created_by
    assert Note.objects.get_visible(user, notes["own"].pk) == notes["own"]
    visible = Note.objects.visible_to(user)
    lookups: list[Callable[[int], Note]] = [
        lambda pk: visible.get_or_not_found(pk=pk),
        lambda pk: Note.objects.get_visible(user, pk),
    ]
    for get in lookups:
        with pytest.raises(NotFound) as foreign:
            get(notes["foreign"].pk)
        with pytest.raises(NotFound) as absent:
            get(10**6)
        assert str(foreign.value) == str(absent.value) == "There is no such note."
        assert "DoesNotExist" not in "".join(traceback.format_exception(foreign.value))
