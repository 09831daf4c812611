"""Writes of clients and users, each with its authorization.

A write that can change the number of active users or of owners first locks the client's seats; see
`subscriptions.lock_seats`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction

from timba.accounts.authorization import (
    check_may_grant,
    check_may_manage_owners,
    permissions_of,
    require,
    require_active_subscription,
    require_staff,
)
from timba.accounts.models import Client, Role, Subscription, User
from timba.accounts.permissions import OWNER, Permission
from timba.accounts.sign_in import confirm_password, hash_password, unlock_username
from timba.accounts.subscriptions import check_seats, lock_seats
from timba.accounts.token_cache import forget_users
from timba.db.errors import translate_integrity_errors
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn

# What users may change about themselves without `users.manage`.
_SELF_FIELDS: Final = {"name", "address", "contact", "password", "current_password"}
_USER_TEXT_FIELDS: Final = ("username", "name", "address", "contact")
_CLIENT_TEXT_FIELDS: Final = ("name", "address", "contact", "email", "time_zone")


class ClientTexts(TypedDict, total=False):
    """The text fields of a client."""

    name: str
    address: str
    contact: str
    email: str
    time_zone: str


class ClientChanges(ClientTexts, total=False):
    """The fields of a client to change."""

    is_active: bool


class UserChanges(TypedDict, total=False):
    """The fields of a user to change."""

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
    """The first user of a new client."""

    username: str
    password: str


@retry_on_deadlock
def open_client(
    *, actor: User, owner: FirstOwner | None = None, **texts: Unpack[ClientTexts]
) -> Client:
    """Create a client with a trial subscription; for staff."""
    require_staff(actor, to="add clients")
    return _create_client(owner, texts)


@retry_on_deadlock
def sign_up(*, owner: FirstOwner, **texts: Unpack[ClientTexts]) -> Client:
    """Create a client without an account; raise NotSignedIn unless open sign-up is enabled."""
    if not settings.TIMBA_OPEN_SIGNUP:
        raise NotSignedIn
    return _create_client(owner, texts)


@retry_on_deadlock
def change_client(*, actor: User, client: Client, **changes: Unpack[ClientChanges]) -> Client:
    """Change a client; only staff suspend or reactivate it.

    The users of a suspended client are signed out at once; its data stays.
    """
    require(actor, Permission.MANAGE_USERS, client=client)
    with write_transaction():
        lock_seats(client)
        client = Client.unscoped.select_related("subscription").get(pk=client.pk)
        if changes.get("is_active", client.is_active) != client.is_active:
            require_staff(actor, to="suspend clients")
        changed = apply_changes(client, changes)
        _check_text_fields(client, _CLIENT_TEXT_FIELDS)
        if changed:
            client.save()
            forget_users()
    return client


@retry_on_deadlock
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
    """Add a user to a client; a user without a password cannot sign in yet."""
    require(actor, Permission.MANAGE_USERS, client=client)
    check_may_grant(actor, role)
    user = User(
        client=client,
        role=role,
        username=username,
        name=name,
        address=address,
        contact=contact,
        is_active=is_active,
    )
    _check_text_fields(user, _USER_TEXT_FIELDS)
    _check_role_fits(user)
    user.set_unusable_password()
    if password is not None:
        user.password = hash_password(password, user=user)
    with write_transaction():
        lock_seats(client)
        user.role = _reload_role(actor, role)
        _save(user)
        check_seats(client)
    return user


@retry_on_deadlock
def change_user(*, actor: User, user: User, **changes: Unpack[UserChanges]) -> User:
    """Change a user; without `users.manage`, users can change only themselves (`_SELF_FIELDS`).

    A new password or deactivation ends every session and token of the user. A new password also
    unlocks the username after failed attempts.
    """
    is_self = actor.pk == user.pk
    if is_self and changes.keys() <= _SELF_FIELDS:
        require_active_subscription(actor, client=user.client)
    else:
        require(actor, Permission.MANAGE_USERS, client=user.client)
        _check_may_change(actor, user, changes)
    current_password = changes.pop("current_password", None)
    password = changes.pop("password", None)
    new_hash = None
    if password is not None:
        if is_self:
            confirm_password(current_password, user=user)
        new_hash = hash_password(password, user=user)
    with write_transaction():
        user = _lock_user(user)
        if user.is_owner:
            check_may_manage_owners(actor)
        if "role" in changes:
            changes["role"] = _reload_role(actor, changes["role"])
        _apply(user, changes, new_hash)
    return user


@retry_on_deadlock
def delete_user(*, actor: User, user: User) -> None:
    """Delete a user; the rows that the user created stay."""
    require(actor, Permission.MANAGE_USERS, client=user.client)
    if actor.pk == user.pk:
        raise Conflict("You cannot delete yourself: ask another owner.")
    with transaction.atomic():
        user = _lock_user(user)
        if user.is_owner:
            check_may_manage_owners(actor)
            if user.is_active:
                _check_not_last_owner(user)
        user.delete()
        forget_users()


def administrator_exists(username: str) -> bool:
    """Whether a member of staff has this username; raise Conflict if a client's user has it."""
    existing = User.unscoped.filter(username=username).first()
    if existing is not None and not existing.is_staff:
        raise Conflict(f"“{username}” is a client's user: rename that user first.")
    return existing is not None


def create_administrator(*, username: str, password: str) -> bool:
    """Create a member of staff; return False if one with this username exists.

    Raises Conflict if a client's user has this username.
    """
    if administrator_exists(username):
        return False
    with _conflict_if_username_taken():
        User.unscoped.create_superuser(username, password)
    return True


def _create_client(owner: FirstOwner | None, texts: ClientTexts) -> Client:
    client = Client(**texts)
    _check_text_fields(client, _CLIENT_TEXT_FIELDS)
    user = None
    if owner is not None:
        role = Role.unscoped.get(client=None, name=OWNER)
        user = User(client=client, role=role, username=owner.username, name=owner.username)
        _check_text_fields(user, _USER_TEXT_FIELDS)
        user.password = hash_password(owner.password, user=user)
    with write_transaction():
        client.save()
        Subscription.objects.create(client=client)
        if user is not None:
            user.client = client
            _save(user)
    return client


def _apply(user: User, changes: UserChanges, new_hash: str | None) -> None:
    was_active, was_active_owner = user.is_active, user.is_active and user.is_owner
    changed = apply_changes(user, changes)
    _check_text_fields(user, _USER_TEXT_FIELDS)
    _check_role_fits(user)
    if was_active_owner and not (user.is_active and user.is_owner):
        _check_not_last_owner(user)
    if new_hash is not None:
        user.password = new_hash
        unlock_username(user.username)
    if new_hash is not None or (was_active and not user.is_active):
        user.token_version += 1
    if changed or new_hash is not None:
        _save(user)
        forget_users()
    if user.is_active and not was_active:
        check_seats(user.client)


def _check_text_fields(row: Client | User, names: tuple[str, ...]) -> None:
    others = {field.name for field in row._meta.fields} - set(names)
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        raise Invalid(fields=error.message_dict) from error


def _check_may_change(actor: User, user: User, changes: UserChanges) -> None:
    if "role" in changes:
        check_may_grant(actor, changes["role"])
    if actor.pk == user.pk and changes.get("is_active") is False:
        raise Conflict("You cannot deactivate yourself: ask another owner.")
    if "password" in changes and not permissions_of(user) <= permissions_of(actor):
        raise Forbidden("This user may do more than you: their password is not yours to set.")


def _reload_role(actor: User, role: Role) -> Role:
    """Reread the role under the lock: it may have been changed or deleted meanwhile."""
    reloaded = Role.unscoped.get_or_not_found(pk=role.pk)
    check_may_grant(actor, reloaded)
    return reloaded


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


def _lock_user(user: User) -> User:
    """Lock the client's seats, then the user; return the user reread."""
    lock_seats(user.client)
    rows: models.QuerySet[User] = User.unscoped.select_for_update().filter(pk=user.pk)
    locked = rows.first()
    if locked is None:
        raise NotFound("There is no such user.")
    return locked


def _save(user: User) -> None:
    with _conflict_if_username_taken():
        user.save()


def _conflict_if_username_taken() -> AbstractContextManager[None]:
    return translate_integrity_errors(
        {"username_is_unique": Conflict("This username is taken: choose another one.")}
    )
