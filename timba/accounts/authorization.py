"""Decides whether a user may do something: the first line of every service asks it here.

Reading needs no permission. Platform staff may do everything, also while a subscription is lapsed.
"""

from __future__ import annotations

from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import Permission
from timba.errors import Forbidden, Lapsed, NotFound


def permissions_of(user: User) -> frozenset[str]:
    """Return what the user's role allows; staff may everything."""
    if user.is_staff:
        return frozenset(Permission.values)
    return frozenset(user.role.permissions) if user.role else frozenset()


def require(actor: User, permission: Permission, *, client: Client | None) -> None:
    """Let `actor` pass who may do this for `client`, now; for staff's own matters it is None.

    Raises NotFound for another client (its existence is no one's business), Forbidden where the
    role lacks the permission, Lapsed where the subscription has run out.
    """
    if permission not in permissions_of(actor):
        raise Forbidden(f"Your role does not allow this: it may not {permission.label}.")
    require_active_subscription(actor, client=client)


def require_active_subscription(actor: User, *, client: Client | None) -> None:
    """Let `actor` write for `client` while its subscription runs; see `require`."""
    if actor.is_staff:
        return
    if client is None or actor.client_id != client.pk:
        raise NotFound("There is no such client.")
    if client.subscription.is_lapsed:
        raise Lapsed


def require_staff(actor: User, *, to: str) -> None:
    """Let `actor` pass who belongs to the platform's staff; `to` says what only they do."""
    if not actor.is_staff:
        raise Forbidden(f"Your role does not allow this: only the platform's staff {to}.")


def check_may_grant(actor: User, role: Role) -> None:
    """Raise Forbidden for a role that may do more than `actor`: nobody grants what they lack."""
    if role.is_owner:
        check_may_manage_owners(actor)
    if not set(role.permissions) <= permissions_of(actor):
        raise Forbidden("This role may do more than yours: give one that may do less.")


def check_may_manage_owners(actor: User) -> None:
    """Raise Forbidden unless `actor` may make, change or remove owners."""
    if not (actor.is_staff or actor.is_owner):
        raise Forbidden("Only owners make, change or remove owners: ask one of them.")
