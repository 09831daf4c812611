"""Writes of users: who may do them, and what they reject."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import PASSWORD, ClientFactory
from timba.accounts.models import Client, Role, User
from timba.accounts.services import (
    add_user,
    change_user,
    delete_user,
)
from timba.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    Lapsed,
    NotFound,
    SeatsTaken,
)
from timba.notes.services import write_note

STRONG = "spruce-bark-7731"


def role(name: str) -> Role:
    return Role.unscoped.get(client=None, name=name)


def own_role(client: Client, *permissions: str) -> Role:
    return Role.unscoped.create(client=client, name="own", permissions=list(permissions))


def add(actor: User, username: str = "new", role_name: str = "viewer", **fields: Any) -> User:
    fields.setdefault("role", role(role_name))
    return add_user(actor=actor, client=actor.client, username=username, name="New", **fields)


# --- Adding users --------------------------------------------------------------------------------


def test_an_owner_adds_users_in_every_role(make_user: MakeUser) -> None:
    owner = make_user()
    for name in ("owner", "manager", "operator", "viewer"):
        user = add(owner, username=f"new-{name}", role_name=name, password=STRONG)
        assert (user.client, user.role.name, user.is_active) == (owner.client, name, True)
        assert user.check_password(STRONG)


def test_a_user_without_a_password_cannot_sign_in(make_user: MakeUser) -> None:
    user = add(make_user())
    assert not user.has_usable_password()
    assert not user.check_password("")


@pytest.mark.parametrize("name", ["manager", "operator", "viewer"])
def test_adding_users_needs_the_permission_to_manage_users(name: str, make_user: MakeUser) -> None:
    with pytest.raises(Forbidden):
        add(make_user(role=name))


def test_a_role_with_more_permissions_cannot_be_granted(
    make_user: MakeUser, client_company: Client
) -> None:
    clerk = make_user(role=own_role(client_company, "users.manage", "notes.write"))
    for name in ("manager", "operator"):
        with pytest.raises(Forbidden, match=r"^This role may do more than yours"):
            add(clerk, role_name=name)
    assert add(clerk, role_name="viewer").role.name == "viewer"
    assert add(clerk, username="peer", role=clerk.role).role == clerk.role


def test_only_owners_and_staff_make_owners(
    make_user: MakeUser, client_company: Client, staff: User
) -> None:
    everything = own_role(client_company, *role("owner").permissions)
    deputy = make_user(role=everything)
    with pytest.raises(Forbidden, match=r"^Only owners make, change or remove owners"):
        add(deputy, role_name="owner")
    with pytest.raises(Forbidden, match=r"^Only owners make, change or remove owners"):
        change_user(actor=deputy, user=make_user(role="viewer"), role=role("owner"))
    add_user(actor=staff, client=client_company, username="o", name="O", role=role("owner"))


def test_another_clients_role_does_not_exist(make_user: MakeUser) -> None:
    owner = make_user()
    with pytest.raises(NotFound, match=r"^There is no such role\.$"):
        add(owner, role=own_role(ClientFactory()))
    with pytest.raises(NotFound, match=r"^There is no such role\.$"):
        change_user(actor=owner, user=make_user(), role=own_role(ClientFactory()))


def test_a_username_is_unique_on_the_whole_platform(make_user: MakeUser) -> None:
    make_user(username="anna", client=ClientFactory())
    with pytest.raises(Conflict, match=r"^This username is taken: choose another one\.$"):
        add(make_user(), username="anna")
    with pytest.raises(Conflict, match=r"^This username is taken: choose another one\.$"):
        change_user(actor=make_user(), user=make_user(), username="anna")


@pytest.mark.parametrize(
    "username", ["", " anna", "anna ", "an\nna", "an\0na", "a\u200bb", "x" * 151]
)
def test_a_username_is_printable_without_surrounding_blanks(
    username: str, make_user: MakeUser
) -> None:
    owner = make_user()
    with pytest.raises(Invalid) as refused:
        add(owner, username=username)
    assert list(refused.value.fields) == ["username"]


@pytest.mark.parametrize("username", ["a", "Ānna Bērziņa", "安娜", "x" * 150])
def test_usernames_of_every_alphabet_are_fine(username: str, make_user: MakeUser) -> None:
    assert add(make_user(), username=username).username == username


@pytest.mark.parametrize("password", ["short1!", "password123", "new-new-new", ""])
def test_a_weak_password_is_refused(password: str, make_user: MakeUser) -> None:
    with pytest.raises(Invalid) as refused:
        add(make_user(), username="new-new-new", password=password)
    assert list(refused.value.fields) == ["password"]
    assert not User.unscoped.filter(username="new-new-new").exists()


# --- Seats ---------------------------------------------------------------------------------------


@pytest.fixture
def full(make_user: MakeUser, client_company: Client) -> User:
    """Return the owner of a client whose two seats are taken; a third user is inactive."""
    client_company.subscription.seats = 2
    client_company.subscription.save()
    owner = make_user()
    make_user(role="viewer")
    make_user(role="viewer", username="asleep", is_active=False)
    return owner


def test_there_are_no_more_active_users_than_seats(full: User, staff: User) -> None:
    for actor in (full, staff):
        with pytest.raises(SeatsTaken):
            add_user(actor=actor, client=full.client, username="n", name="N", role=role("viewer"))
    with pytest.raises(SeatsTaken):
        change_user(actor=full, user=User.unscoped.get(username="asleep"), is_active=True)
    assert full.client.users.filter(is_active=True).count() == 2


def test_an_inactive_user_takes_no_seat(full: User) -> None:
    assert not add(full, is_active=False).is_active
    change_user(
        actor=full, user=full.client.users.get(role__name="viewer", is_active=True), is_active=False
    )
    assert change_user(actor=full, user=User.unscoped.get(username="asleep"), is_active=True)


def test_changing_a_user_of_a_full_client_needs_no_seat(full: User) -> None:
    full.client.subscription.seats = 1  # fewer than are taken already
    full.client.subscription.save()
    assert change_user(actor=full, user=full, name="Renamed", is_active=True).name == "Renamed"


# --- Changing users ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["owner", "manager", "operator", "viewer"])
def test_users_change_their_own_details(name: str, make_user: MakeUser) -> None:
    user = make_user(role=name)
    changed = change_user(actor=user, user=user, name="N", address="A", contact="C")
    stored = User.unscoped.get(pk=user.pk)
    assert (stored.name, stored.address, stored.contact) == ("N", "A", "C")
    assert changed == stored
    assert stored.token_version == user.token_version


@pytest.mark.parametrize("changes", [{"username": "x"}, {"is_active": False}, {"is_active": True}])
def test_other_changes_of_oneself_need_the_permission_to_manage_users(
    changes: dict[str, Any], make_user: MakeUser
) -> None:
    user = make_user(role="manager")
    with pytest.raises(Forbidden):
        change_user(actor=user, user=user, **changes)
    with pytest.raises(Forbidden):
        change_user(actor=user, user=user, name="N", **changes)
    with pytest.raises(Forbidden):
        change_user(actor=user, user=make_user(role="viewer"), name="N")
    with pytest.raises(Forbidden):
        change_user(actor=user, user=user, role=role("viewer"))


def test_changing_ones_own_password_needs_the_current_one(make_user: MakeUser) -> None:
    user = make_user(role="viewer")
    for current in (None, "wrong"):
        given = {} if current is None else {"current_password": current}
        with pytest.raises(Invalid) as refused:
            change_user(actor=user, user=user, password=STRONG, **given)
        assert list(refused.value.fields) == ["current_password"]
    changed = change_user(actor=user, user=user, password=STRONG, current_password=PASSWORD)
    assert changed.check_password(STRONG)
    assert changed.token_version == user.token_version + 1


def test_a_stolen_token_cannot_guess_the_current_password(make_user: MakeUser) -> None:
    user = make_user(role="viewer")
    for _ in range(10):
        with pytest.raises(Invalid):
            change_user(actor=user, user=user, password=STRONG, current_password="guess")
    with pytest.raises(DomainError, match=r"^Too many attempts"):
        change_user(actor=user, user=user, password=STRONG, current_password=PASSWORD)


def test_an_owner_sets_a_forgotten_password(make_user: MakeUser) -> None:
    user = make_user(role="manager")
    assert change_user(actor=make_user(), user=user, password=STRONG).check_password(STRONG)


def test_the_password_of_a_user_with_more_permissions_cannot_be_set(
    make_user: MakeUser, client_company: Client
) -> None:
    clerk = make_user(role=own_role(client_company, "users.manage"))
    manager, owner, viewer = (make_user(role=name) for name in ("manager", "owner", "viewer"))
    with pytest.raises(Forbidden, match=r"^This user may do more than you"):
        change_user(actor=clerk, user=manager, password=STRONG)
    assert change_user(actor=clerk, user=manager, name="N").name == "N"
    assert change_user(actor=clerk, user=viewer, password=STRONG).check_password(STRONG)
    with pytest.raises(Forbidden, match=r"^Only owners make, change or remove owners"):
        change_user(actor=clerk, user=owner, name="N")
    make_user()
    with pytest.raises(Forbidden, match=r"^Only owners make, change or remove owners"):
        delete_user(actor=clerk, user=owner)
    delete_user(actor=clerk, user=manager)


def test_a_role_change_counts_at_once(make_user: MakeUser) -> None:
    user = make_user(role="viewer")
    change_user(actor=make_user(), user=user, role=role("operator"))
    assert User.unscoped.get(pk=user.pk).role.name == "operator"


def test_deactivating_ends_every_sign_in(make_user: MakeUser) -> None:
    user = make_user()
    changed = change_user(actor=make_user(), user=user, is_active=False)
    assert changed.token_version == user.token_version + 1


def test_another_clients_user_is_not_found(make_user: MakeUser) -> None:
    owner, stranger = make_user(), make_user(client=ClientFactory())
    with pytest.raises(NotFound):
        change_user(actor=owner, user=stranger, name="N")
    with pytest.raises(NotFound):
        delete_user(actor=owner, user=stranger)
    with pytest.raises(NotFound):
        add_user(actor=owner, client=stranger.client, username="n", name="N", role=role("viewer"))


def test_staff_are_changed_by_staff_only(make_user: MakeUser, staff: User) -> None:
    with pytest.raises(NotFound):
        change_user(actor=make_user(), user=staff, name="N")
    assert change_user(actor=staff, user=staff, name="N").name == "N"
    with pytest.raises(Invalid, match=r"^Staff have no role: leave it out\.$"):
        change_user(actor=staff, user=staff, role=role("viewer"))


def test_a_deleted_user_is_not_found(make_user: MakeUser) -> None:
    owner, user = make_user(), make_user()
    User.unscoped.filter(pk=user.pk).delete()
    with pytest.raises(NotFound, match=r"^There is no such user\.$"):
        change_user(actor=owner, user=user, name="N")
    with pytest.raises(NotFound, match=r"^There is no such user\.$"):
        delete_user(actor=owner, user=user)


def test_a_lapsed_client_writes_nothing(make_user: MakeUser, client_company: Client) -> None:
    client_company.subscription.current_period_end = timezone.now()
    client_company.subscription.save()
    owner, other = (User.unscoped.get(pk=make_user().pk) for _ in range(2))
    for attempt in (
        lambda: add(owner),
        lambda: change_user(actor=owner, user=owner, name="N"),
        lambda: change_user(actor=owner, user=other, name="N"),
        lambda: delete_user(actor=owner, user=other),
    ):
        with pytest.raises(Lapsed):
            attempt()


# --- The last owner, and leaving -----------------------------------------------------------------


def test_the_last_active_owner_cannot_be_removed(make_user: MakeUser, staff: User) -> None:
    owner = make_user()
    make_user(is_active=False)
    for attempt in (
        lambda: change_user(actor=owner, user=owner, role=role("manager")),
        lambda: change_user(actor=staff, user=owner, is_active=False),
        lambda: delete_user(actor=staff, user=owner),
    ):
        with pytest.raises(Conflict, match=r"^This is the client's last active owner"):
            attempt()


def test_an_inactive_owner_can_be_deleted(make_user: MakeUser, staff: User) -> None:
    owner = make_user(is_active=False)
    delete_user(actor=staff, user=owner)
    assert not User.unscoped.filter(pk=owner.pk).exists()


def test_one_of_two_owners_can_be_removed(make_user: MakeUser) -> None:
    owner, second, third = (make_user() for _ in range(3))
    delete_user(actor=owner, user=second)
    change_user(actor=third, user=owner, is_active=False)
    assert change_user(actor=third, user=owner, name="N").name == "N"
    delete_user(actor=third, user=owner)
    assert list(third.client.users.all()) == [third]


def test_owners_of_other_clients_and_own_roles_of_that_name_do_not_count(
    make_user: MakeUser, client_company: Client, staff: User
) -> None:
    owner = make_user()
    make_user(client=ClientFactory())
    make_user(role=Role.unscoped.create(client=client_company, name="owner"))
    with pytest.raises(Conflict, match=r"^This is the client's last active owner"):
        delete_user(actor=staff, user=owner)


def test_nobody_deletes_or_deactivates_themselves(make_user: MakeUser, staff: User) -> None:
    owner = make_user()
    make_user()
    for actor in (owner, staff):
        with pytest.raises(Conflict, match=r"^You cannot delete yourself"):
            delete_user(actor=actor, user=actor)
        with pytest.raises(Conflict, match=r"^You cannot deactivate yourself"):
            change_user(actor=actor, user=actor, is_active=False)


def test_rows_created_by_a_deleted_user_stay(make_user: MakeUser) -> None:
    owner, user = make_user(), make_user(role="operator")
    note = write_note(actor=user, client=user.client, title="Kept")
    delete_user(actor=owner, user=user)
    note.refresh_from_db()
    assert (note.title, note.created_by) == ("Kept", None)
