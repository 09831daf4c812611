"""A client's own roles are added, changed and deleted without privilege escalation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.authorization import require
from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import BUILT_IN_ROLES, Permission
from timba.accounts.roles import add_role, change_role, delete_role
from timba.accounts.services import add_user, change_user
from timba.errors import Conflict, DomainError, Forbidden, Invalid, Lapsed, NotFound

MANAGE = "users.manage"


def add(actor: User, name: str = "gate", *permissions: str) -> Role:
    assert actor.client is not None
    return add_role(actor=actor, client=actor.client, name=name, permissions=permissions)


def stored(role: Role) -> Role:
    return Role.unscoped.get(pk=role.pk)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def hired(make_user: MakeUser, client_company: Client) -> User:
    """Return who manages users and writes notes, and may nothing else."""
    role = Role.unscoped.create(
        client=client_company, name="hired", permissions=[MANAGE, "notes.write"]
    )
    return make_user(role=role)


def test_an_owner_adds_a_role(owner: User) -> None:
    role = add(owner, "gate", "notes.write", "logs.write", "notes.write")
    assert (role.client, role.name) == (owner.client, "gate")
    assert stored(role).permissions == ["logs.write", "notes.write"]
    assert add(owner, "guest").permissions == []


def test_staff_add_one_for_a_client(staff: User, client_company: Client) -> None:
    role = add_role(actor=staff, client=client_company, name="gate", permissions=[MANAGE])
    assert stored(role).client == client_company


@pytest.mark.parametrize("name", ["manager", "operator", "viewer"])
def test_roles_need_the_permission_to_manage_users(
    name: str, owner: User, make_user: MakeUser
) -> None:
    role, user = add(owner), make_user(role=name)
    for attempt in (
        lambda: add(user, "mine"),
        lambda: change_role(actor=user, role=role, name="mine"),
        lambda: delete_role(actor=user, role=role),
    ):
        with pytest.raises(Forbidden, match=r"it may not manage users and roles\.$"):
            attempt()
    assert stored(role).name == "gate"


def test_another_clients_role_is_not_found(owner: User, make_user: MakeUser) -> None:
    foreign = Role.unscoped.create(client=ClientFactory(), name="theirs")
    for attempt in (
        lambda: add_role(actor=owner, client=foreign.client, name="mine"),
        lambda: change_role(actor=owner, role=foreign, name="mine"),
        lambda: delete_role(actor=owner, role=foreign),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert stored(foreign).name == "theirs"


def test_a_lapsed_client_writes_no_role(owner: User) -> None:
    role = add(owner)
    subscription = owner.client.subscription
    subscription.current_period_end = owner.client.created_at
    subscription.save()
    role = Role.unscoped.select_related("client").get(pk=role.pk)
    for attempt in (
        lambda: add(owner, "more"),
        lambda: change_role(actor=owner, role=role, name="more"),
        lambda: delete_role(actor=owner, role=role),
    ):
        with pytest.raises(Lapsed):
            attempt()


# --- Names ---------------------------------------------------------------------------------------


def test_a_name_is_taken_once_in_a_client(owner: User) -> None:
    add(owner)
    other = add(owner, "yard")
    taken = r"^There is a role named “gate” already: choose another name\.$"
    with pytest.raises(Conflict, match=taken):
        add(owner)
    with pytest.raises(Conflict, match=taken):
        change_role(actor=owner, role=other, name="gate")
    assert change_role(actor=owner, role=other, name="yard").name == "yard"
    elsewhere = add_role(actor=owner, client=owner.client, name="Gate")
    assert elsewhere.name == "Gate"


def test_another_clients_names_are_free(owner: User, make_user: MakeUser) -> None:
    add(owner)
    assert add(make_user(client=ClientFactory())).name == "gate"


@pytest.mark.parametrize("name", BUILT_IN_ROLES)
def test_built_in_names_are_taken_everywhere(name: str, owner: User, staff: User) -> None:
    role = add(owner)
    for actor in (owner, staff):
        with pytest.raises(Conflict, match=rf"^There is a role named “{name}” already"):
            add_role(actor=actor, client=owner.client, name=name)
        with pytest.raises(Conflict, match=rf"^There is a role named “{name}” already"):
            change_role(actor=actor, role=role, name=name)


@pytest.mark.parametrize(
    ("name", "built_in"),
    [
        ("Owner", "owner"),
        ("оwner", "owner"),  # Cyrillic о
        ("ΟWΝΕR", "owner"),  # Greek capitals
        ("0wner", "owner"),
        ("o w n e r", "owner"),
        ("owner.", "owner"),
        ("ｏｗｎｅｒ", "owner"),  # full width
        ("ovvner", "owner"),
        ("Viеwer", "viewer"),  # Cyrillic е
        ("vlewer", "viewer"),
        ("rnanager", "manager"),
        ("mаnаger", "manager"),  # Cyrillic а
        ("Operàtor", "operator"),
        ("орerator\u3164", "operator"),  # Cyrillic о and р, and a letter without a shape
    ],
)
def test_names_confusable_with_built_in_ones_are_taken_too(
    name: str, built_in: str, owner: User, staff: User
) -> None:
    role = add(owner)
    for actor in (owner, staff):
        with pytest.raises(Conflict, match=rf"^There is a role named “{built_in}” already"):
            add_role(actor=actor, client=owner.client, name=name)
        with pytest.raises(Conflict, match=rf"^There is a role named “{built_in}” already"):
            change_role(actor=actor, role=role, name=name)
    assert stored(role).name == "gate"


def test_an_existing_role_with_a_confusable_name_keeps_it(owner: User) -> None:
    role = Role.unscoped.create(client=owner.client, name="Owner")
    changed = change_role(actor=owner, role=role, name="Owner", permissions=["notes.write"])
    assert (changed.name, changed.permissions) == ("Owner", ["notes.write"])


@pytest.mark.parametrize("name", ["", " ", "x" * 51, " gate", "ga\nte", "7", "٣", "gate\0"])
def test_a_name_is_printable_and_not_a_number(name: str, owner: User) -> None:
    role = add(owner, "yard")
    with pytest.raises(Invalid) as refused:
        add(owner, name)
    assert list(refused.value.fields) == ["name"]
    with pytest.raises(Invalid):
        change_role(actor=owner, role=role, name=name)
    assert stored(role).name == "yard"


@pytest.mark.parametrize(
    "name", ["x" * 50, "Vārtu sargs", "夜勤", "shift 2", "co-owner", "operators", "Überwacher"]
)
def test_names_of_every_alphabet_are_fine(name: str, owner: User) -> None:
    assert stored(add(owner, name)).name == name


@pytest.mark.parametrize("permission", ["", "notes.read", "*", "USERS.MANAGE"])
def test_unknown_permissions_are_rejected(permission: str, owner: User, staff: User) -> None:
    role = add(owner)
    for actor in (owner, staff):
        with pytest.raises(Invalid) as refused:
            add_role(actor=actor, client=owner.client, name="x", permissions=[permission])
        assert list(refused.value.fields) == ["permissions"]
        with pytest.raises(Invalid):
            change_role(actor=actor, role=role, permissions=["notes.write", permission])
    assert stored(role).permissions == []


# --- Nobody gains --------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", ["consignments.write", "logs.write", "files.write"])
def test_a_role_cannot_get_permissions_that_the_actor_lacks(permission: str, hired: User) -> None:
    with pytest.raises(
        Forbidden,
        match=rf"^Nobody gives what they may not do themselves: leave out {permission}\.$",
    ):
        add(hired, "mine", "notes.write", permission)
    role = add(hired, "mine", "notes.write", MANAGE)
    for target in (role, hired.role):
        with pytest.raises(Forbidden):
            change_role(actor=hired, role=target, permissions=[MANAGE, "notes.write", permission])
    assert permission not in stored(role).permissions + stored(hired.role).permissions


def test_a_role_with_more_permissions_cannot_be_changed_or_deleted(
    owner: User, hired: User
) -> None:
    role = add(owner, "yard", "logs.write")
    for attempt in (
        lambda: change_role(actor=hired, role=role, name="mine"),
        lambda: change_role(actor=hired, role=role, permissions=["notes.write"]),
        lambda: delete_role(actor=hired, role=role),
    ):
        with pytest.raises(Forbidden, match=r"^This role may do more than yours: ask an owner"):
            attempt()
    assert (stored(role).name, stored(role).permissions) == ("yard", ["logs.write"])


def test_actors_can_reduce_their_own_role(hired: User) -> None:
    assert change_role(actor=hired, role=hired.role, permissions=[MANAGE]).permissions == [MANAGE]


@pytest.mark.parametrize("name", BUILT_IN_ROLES)
def test_built_in_roles_cannot_be_changed_even_by_staff(
    name: str, owner: User, staff: User
) -> None:
    role = Role.unscoped.get(client=None, name=name)
    for actor in (owner, staff):
        for attempt in (
            lambda actor=actor: change_role(actor=actor, role=role, name="mine"),
            lambda actor=actor: change_role(actor=actor, role=role, permissions=[]),
            lambda actor=actor: delete_role(actor=actor, role=role),
        ):
            with pytest.raises(Forbidden, match=r"^The built-in roles stay as they are"):
                attempt()
    assert stored(role).permissions == list(BUILT_IN_ROLES[name])


def test_changed_permissions_take_effect_at_once(owner: User, make_user: MakeUser) -> None:
    role = add(owner)
    user = make_user(role=role)
    change_role(actor=owner, role=role, permissions=["notes.write"])
    require(User.unscoped.get(pk=user.pk), Permission.WRITE_NOTES, client=user.client)
    change_role(actor=owner, role=role, permissions=[])
    with pytest.raises(Forbidden):
        require(User.unscoped.get(pk=user.pk), Permission.WRITE_NOTES, client=user.client)


def test_a_role_that_gained_permissions_meanwhile_cannot_be_granted(
    owner: User, hired: User, make_user: MakeUser
) -> None:
    role, user = add(owner), make_user(role="viewer")
    known = stored(role)
    change_role(actor=owner, role=role, permissions=["logs.write"])
    fields: dict[str, Any] = {"username": "new", "name": "New", "role": known}
    with pytest.raises(Forbidden):
        add_user(actor=hired, client=hired.client, **fields)
    with pytest.raises(Forbidden):
        change_user(actor=hired, user=user, role=known)


# --- Deleting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_active", [True, False])
def test_a_role_in_use_cannot_be_deleted(is_active: bool, owner: User, make_user: MakeUser) -> None:
    role = add(owner)
    user = make_user(role=role, is_active=is_active)
    with pytest.raises(
        Conflict, match=r"^This role is in use: give its users another one first\.$"
    ):
        delete_role(actor=owner, role=role)
    user.delete()
    delete_role(actor=owner, role=role)
    assert not Role.unscoped.filter(pk=role.pk).exists()


def test_a_deleted_role_is_not_found(owner: User, make_user: MakeUser) -> None:
    role, user = add(owner), make_user(role="viewer")
    gone = stored(role)
    delete_role(actor=owner, role=role)
    for attempt in (
        lambda: change_role(actor=owner, role=gone, name="x"),
        lambda: delete_role(actor=owner, role=gone),
        lambda: change_user(actor=owner, user=user, role=gone),
        lambda: add_user(actor=owner, client=owner.client, username="x", name="X", role=gone),
    ):
        with pytest.raises(NotFound, match=r"^There is no such role\.$"):
            attempt()


@pytest.mark.django_db(transaction=True)
def test_a_role_is_either_granted_or_deleted(owner: User) -> None:
    role = add(owner)

    def give() -> str:
        add_user(actor=owner, client=owner.client, username="new", name="New", role=role)
        return "given"

    def delete() -> str:
        delete_role(actor=owner, role=role)
        return "deleted"

    def attempt(act: Any) -> str:
        try:
            return act()
        except DomainError as refused:
            return type(refused).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        ends = set(pool.map(attempt, [give, delete]))
    assert ends in ({"given", "Conflict"}, {"deleted", "NotFound"})


@pytest.mark.django_db(transaction=True)
def test_one_of_many_concurrent_writers_gets_a_name(owner: User) -> None:
    def attempt(_: int) -> bool:
        try:
            add(owner)
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1


@pytest.mark.parametrize("text", ["٣", " 3", "3_0", "+3", "3.0", "", "nobody's"])
def test_only_plain_digits_are_an_id(text: str, owner: User) -> None:
    roles = Role.unscoped.assignable_in(owner.client)
    known = Role.unscoped.get(client=None, name="viewer")
    assert roles.by_name_or_id("viewer") == roles.by_name_or_id(str(known.pk)) == known
    Role.unscoped.create(pk=30, client=owner.client, name="thirty")
    with pytest.raises(NotFound, match=r"^There is no such role\.$"):
        roles.by_name_or_id(text)
