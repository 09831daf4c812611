"""Authorization: every service starts with one of these checks.

Reading needs no permission. Staff may do everything, also while a subscription has lapsed.
"""

from __future__ import annotations

from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import Permission
from timba.errors import Forbidden, Lapsed, NotFound


def permissions_of(user: User) -> frozenset[str]:
    """Return the permissions of the user's role; staff have all of them."""
    if user.is_staff:
        return frozenset(Permission.values)
    return frozenset(user.role.permissions) if user.role else frozenset()


def require(actor: User, permission: Permission, *, client: Client | None) -> None:
    """Check that `actor` has a permission for `client`; None is only possible for staff.

    Raises Forbidden if the role lacks the permission, NotFound for another client (so that its
    existence is not revealed), and Lapsed if the subscription has lapsed.
    """
    if permission not in permissions_of(actor):
        raise Forbidden(f"Your role does not allow this: it may not {permission.label}.")
    require_active_subscription(actor, client=client)


def require_active_subscription(actor: User, *, client: Client | None) -> None:
    """Check that `actor` belongs to `client`, whose subscription is active; see `require`."""
    if actor.is_staff:
        return
    if client is None or actor.client_id != client.pk:
        raise NotFound("There is no such client.")
    if client.subscription.is_lapsed:
        raise Lapsed


def require_staff(actor: User, *, to: str) -> None:
    """Raise Forbidden unless `actor` is staff; `to` completes the sentence."""
    if not actor.is_staff:
        raise Forbidden(f"Your role does not allow this: only the platform's staff {to}.")


def check_may_grant(actor: User, role: Role) -> None:
    """Raise Forbidden for a role with permissions that `actor` lacks."""
    if role.is_owner:
        check_may_manage_owners(actor)
    if not set(role.permissions) <= permissions_of(actor):
        raise Forbidden("This role may do more than yours: give one that may do less.")


def check_may_manage_owners(actor: User) -> None:
    """Raise Forbidden unless `actor` is an owner or staff."""
    if not (actor.is_staff or actor.is_owner):
        raise Forbidden("Only owners make, change or remove owners: ask one of them.")
