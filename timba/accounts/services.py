"""What people do with clients and users; every rule about who may do it is kept here.

Writes that change who is active or who owns first lock the client's subscription, so that seats
and the last owner are counted by one at a time.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction

from timba.accounts.constraints import sentences
from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.passwords import confirm_password, hash_password
from timba.accounts.permissions import OWNER, Permission, permissions_of, require, require_paid
from timba.contention import again_on_contention
from timba.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn, SeatsTaken

_OWN_FIELDS: Final = {"name", "address", "contact", "password", "current_password"}
_USER_TEXTS: Final = ("username", "name", "address", "contact")
_CLIENT_TEXTS: Final = ("name", "address", "contact", "email")


class ClientTexts(TypedDict, total=False):
    """What a client's people write about it."""

    name: str
    address: str
    contact: str
    email: str


class UserChanges(TypedDict, total=False):
    """What may change about a user; what is left out stays."""

    username: str
    name: str
    address: str
    contact: str
    role: Role
    is_active: bool
    password: str
    current_password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstOwner:
    """With whom a new client begins."""

    username: str
    password: str


@again_on_contention
def open_client(
    *, actor: User, owner: FirstOwner | None = None, **texts: Unpack[ClientTexts]
) -> Client:
    """Begin a client's trial; only staff do so for others."""
    if not actor.is_staff:
        raise Forbidden("Your role does not allow this: only the platform's staff add clients.")
    return _begin_trial(owner, texts)


@again_on_contention
def sign_up(*, owner: FirstOwner, **texts: Unpack[ClientTexts]) -> Client:
    """Begin the trial of one's own client, where the platform lets anyone do so."""
    if not settings.TIMBA_OPEN_SIGNUP:
        raise NotSignedIn
    return _begin_trial(owner, texts)


@again_on_contention
def add_user(
    *,
    actor: User,
    client: Client,
    username: str,
    name: str,
    role: Role,
    address: str = "",
    contact: str = "",
    password: str | None = None,
    is_active: bool = True,
) -> User:
    """Add a user to a client; without a password the user cannot sign in yet."""
    require(actor, Permission.MANAGE_USERS, client=client)
    _check_may_grant(actor, role)
    user = User(
        client=client,
        role=role,
        username=username,
        name=name,
        address=address,
        contact=contact,
        is_active=is_active,
    )
    _check_texts(user, _USER_TEXTS)
    _check_role_fits(user)
    user.set_unusable_password()
    if password is not None:
        user.password = hash_password(password, user=user)
    with transaction.atomic():
        _lock(client)
        _save(user)
        _check_seats(client)
    return user


@again_on_contention
def change_user(*, actor: User, user: User, **changes: Unpack[UserChanges]) -> User:
    """Change a user: everyone the own particulars, who manages users everything.

    A new password, or being deactivated, ends every sign-in of the user.
    """
    is_own = actor.pk == user.pk
    if is_own and changes.keys() <= _OWN_FIELDS:
        require_paid(actor, client=user.client)
    else:
        require(actor, Permission.MANAGE_USERS, client=user.client)
        _check_may_change(actor, user, changes)
    current_password = changes.pop("current_password", None)
    password = changes.pop("password", None)
    new_hash = None
    if password is not None:
        if is_own:
            confirm_password(current_password, user=user)
        new_hash = hash_password(password, user=user)
    with transaction.atomic():
        user = _locked(user)
        if user.is_owner:
            _check_owner_right(actor)
        _apply(user, changes, new_hash)
    return user


@again_on_contention
def delete_user(*, actor: User, user: User) -> None:
    """Remove a user for good; what the user made stays."""
    require(actor, Permission.MANAGE_USERS, client=user.client)
    if actor.pk == user.pk:
        raise Conflict("You cannot delete yourself: ask another owner.")
    with transaction.atomic():
        user = _locked(user)
        if user.is_owner:
            _check_owner_right(actor)
            if user.is_active:
                _check_not_last_owner(user)
        user.delete()


def make_administrator(*, username: str, password: str) -> bool:
    """Make the first member of the platform's staff; False when there is one of that name.

    Raises Conflict when a client's user has that name.
    """
    with transaction.atomic():
        known = User.unscoped.filter(username=username).first()
        if known is None:
            with _username_is_free():
                User.unscoped.create_superuser(username, password)
            return True
    if not known.is_staff:
        raise Conflict(f"“{username}” is a client's user: rename that user first.")
    return False


def _begin_trial(owner: FirstOwner | None, texts: ClientTexts) -> Client:
    client = Client(**texts)
    _check_texts(client, _CLIENT_TEXTS)
    user = None
    if owner is not None:
        role = Role.unscoped.get(client=None, name=OWNER)
        user = User(client=client, role=role, username=owner.username, name=owner.username)
        _check_texts(user, _USER_TEXTS)
        user.password = hash_password(owner.password, user=user)
    with transaction.atomic():
        client.save()
        Subscription.objects.create(client=client)
        if user is not None:
            user.client = client
            _save(user)
    return client


def _apply(user: User, changes: UserChanges, new_hash: str | None) -> None:
    was_active, was_active_owner = user.is_active, user.is_active and user.is_owner
    for field, value in changes.items():
        setattr(user, field, value)
    _check_texts(user, _USER_TEXTS)
    _check_role_fits(user)
    if was_active_owner and not (user.is_active and user.is_owner):
        _check_not_last_owner(user)
    if new_hash is not None:
        user.password = new_hash
    if new_hash is not None or (was_active and not user.is_active):
        user.token_version += 1
    _save(user)
    if user.is_active and not was_active:
        _check_seats(user.client)


def _check_texts(row: Client | User, names: tuple[str, ...]) -> None:
    others = {field.name for field in row._meta.fields} - set(names)
    try:
        row.clean_fields(exclude=others)
    except ValidationError as refused:
        raise Invalid(fields=refused.message_dict) from refused


def _check_may_change(actor: User, user: User, changes: UserChanges) -> None:
    if "role" in changes:
        _check_may_grant(actor, changes["role"])
    if actor.pk == user.pk and changes.get("is_active") is False:
        raise Conflict("You cannot deactivate yourself: ask another owner.")
    if "password" in changes and not permissions_of(user) <= permissions_of(actor):
        raise Forbidden("This user may do more than you: their password is not yours to set.")


def _check_may_grant(actor: User, role: Role) -> None:
    if role.is_owner:
        _check_owner_right(actor)
    if not set(role.permissions) <= permissions_of(actor):
        raise Forbidden("This role may do more than yours: give one that may do less.")


def _check_owner_right(actor: User) -> None:
    if not (actor.is_staff or actor.is_owner):
        raise Forbidden("Only owners make, change or remove owners: ask one of them.")


def _check_role_fits(user: User) -> None:
    if user.is_staff:
        if user.role is not None:
            raise Invalid(fields={"role": ["Staff have no role: leave it out."]})
    elif user.role is None or user.role.client_id not in (None, user.client_id):
        raise NotFound("There is no such role.")


def _check_not_last_owner(user: User) -> None:
    owners = User.unscoped.filter(
        client=user.client, is_active=True, role__client=None, role__name=OWNER
    )
    if not owners.exclude(pk=user.pk).exists():
        raise Conflict("This is the client's last active owner: make another owner first.")


def _check_seats(client: Client | None) -> None:
    if client is None:
        return
    seats = Subscription.objects.get(client=client).seats
    if User.unscoped.filter(client=client, is_active=True).count() > seats:
        raise SeatsTaken


def _lock(client: Client | None) -> None:
    """Keep everyone else from counting this client's users until the transaction ends."""
    if client is not None:
        Subscription.objects.select_for_update().get(client=client)


def _locked(user: User) -> User:
    """Lock the client's people, then read the user afresh."""
    _lock(user.client)
    rows: models.QuerySet[User] = User.unscoped.select_for_update().filter(pk=user.pk)
    found = rows.first()
    if found is None:
        raise NotFound("There is no such user.")
    return found


def _save(user: User) -> None:
    with _username_is_free():
        user.save()


def _username_is_free() -> AbstractContextManager[None]:
    return sentences(
        {"username_is_unique": Conflict("This username is taken: choose another one.")}
    )
