"""A client's own roles: adding, changing and deleting them without privilege escalation.

Users can only put permissions into a role that they have themselves, and cannot change or delete a
role with permissions that they lack. Nobody, staff included, can change or delete a built-in role.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Final, TypedDict, Unpack

from django.db import transaction

from timba.accounts.authorization import permissions_of, require
from timba.accounts.models import MAX_ROLE_NAME, Client, Role, User
from timba.accounts.permissions import BUILT_IN_ROLES, Permission
from timba.accounts.subscriptions import lock_seats
from timba.accounts.token_cache import forget_users
from timba.db.errors import translate_integrity_errors
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict, Forbidden, Invalid, NotFound

# The characters confusable with each Latin letter of the built-in roles' names, after
# case and compatibility folding; from Unicode's confusables.txt (UTS 39).
_LOOKALIKES: Final = {
    "a": "аαɑᴀᎪ⍺",
    "e": "еҽєεɛ℮ᴇᎬ",
    "g": "ɡɢցԍᏀ",
    "i": "іιıӏɪᎥl1|ǀ",
    "m": "мμᴍᎷ",
    "o": "оοσօøɵөθᴏoო",
    "p": "рρⲣᴘᏢ⍴",
    "r": "гᴦʀⲅᎡᏒꭇꭈ",
    "t": "тτᴛᎢ",
    # The Greek ν looks like v and its capital like N, so n and v are one letter here.
    "v": "νѵυᴠᏙ∨nпηոռɴ",
    "w": "ԝѡωшաɯᴡᎳ",
    # Invisible letters (Hangul fillers).
    "": "\u115f\u1160",
}
_SKELETON_LETTERS: Final = str.maketrans(
    {lookalike: letter for letter, lookalikes in _LOOKALIKES.items() for lookalike in lookalikes}
)


class RoleChanges(TypedDict, total=False):
    """The fields of a role to change."""

    name: str
    permissions: list[str]


@retry_on_deadlock
def add_role(*, actor: User, client: Client, name: str, permissions: Iterable[str] = ()) -> Role:
    """Add a role to a client; raise Conflict if the client has one with this name."""
    require(actor, Permission.MANAGE_USERS, client=client)
    role = Role(client=client, name=name, permissions=_normalize_permissions(permissions))
    _check_name(name)
    _check_permissions_held(actor, role)
    _check_not_built_in(name)
    with _conflict_if_name_taken(name), write_transaction():
        role.save()
    return role


@retry_on_deadlock
def change_role(*, actor: User, role: Role, **changes: Unpack[RoleChanges]) -> Role:
    """Change a client's own role; its users have the new permissions at once."""
    require(actor, Permission.MANAGE_USERS, client=role.client or actor.client)
    with _conflict_if_name_taken(changes.get("name", role.name)), write_transaction():
        role = _lock_role(role)
        _check_may_change(actor, role)
        if changes.get("name", role.name) != role.name:
            _check_name(changes["name"])
            _check_not_built_in(changes["name"])
            role.name = changes["name"]
        if "permissions" in changes:
            role.permissions = _normalize_permissions(changes["permissions"])
            _check_permissions_held(actor, role)
        role.save()
        forget_users()
    return role


@retry_on_deadlock
def delete_role(*, actor: User, role: Role) -> None:
    """Delete a client's own role; raise Conflict if a user has it."""
    require(actor, Permission.MANAGE_USERS, client=role.client or actor.client)
    with transaction.atomic():
        role = _lock_role(role)
        _check_may_change(actor, role)
        if User.unscoped.filter(role=role).exists():
            raise Conflict("This role is in use: give its users another one first.")
        role.delete()


def _lock_role(role: Role) -> Role:
    """Lock the client's users, so that none is given the role meanwhile; return the role reread."""
    lock_seats(role.client)
    locked = Role.unscoped.filter(pk=role.pk).first()
    if locked is None:
        raise NotFound("There is no such role.")
    return locked


def _check_may_change(actor: User, role: Role) -> None:
    if role.client_id is None:
        raise Forbidden("The built-in roles stay as they are: add a role of your own.")
    if not set(role.permissions) <= permissions_of(actor):
        raise Forbidden("This role may do more than yours: ask an owner to change it.")


def _check_permissions_held(actor: User, role: Role) -> None:
    lacking = [name for name in role.permissions if name not in permissions_of(actor)]
    if lacking:
        raise Forbidden(
            f"Nobody gives what they may not do themselves: leave out {', '.join(lacking)}."
        )


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_ROLE_NAME or not name.isprintable() or name != name.strip():
        sentence = (
            f"A role has a name of 1 to {MAX_ROLE_NAME} printable characters, without blanks "
            "before or behind them."
        )
        raise Invalid(fields={"name": [sentence]})
    if name.isdecimal():
        # Calls accept a role's name or id.
        raise Invalid(fields={"name": ["A number would look like an id: give the role a word."]})


def _check_not_built_in(name: str) -> None:
    """Raise Conflict for a name that could be confused with a built-in role's."""
    for built_in in BUILT_IN_ROLES:
        if is_confusable(name, built_in):
            raise _name_taken(built_in)


def _normalize_permissions(permissions: Iterable[str]) -> list[str]:
    """Return each permission once, in the order of `Permission`; raise Invalid for unknown ones."""
    requested = set(permissions)
    if not requested <= set(Permission.values):
        known = ", ".join(Permission.values)
        raise Invalid(fields={"permissions": [f"A role's permissions are some of: {known}."]})
    return [permission for permission in Permission.values if permission in requested]


def _conflict_if_name_taken(name: str) -> AbstractContextManager[None]:
    return translate_integrity_errors({"role_name_is_unique": _name_taken(name)})


def _name_taken(name: str) -> Conflict:
    return Conflict(f"There is a role named “{name}” already: choose another name.")


def is_confusable(name: str, other: str) -> bool:
    """Return whether two names look alike to a reader."""
    return _skeleton(name) == _skeleton(other)


def _skeleton(name: str) -> str:
    """Return the name's skeleton (UTS 39): letters and digits without case, marks and script."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    folded = folded.translate(_SKELETON_LETTERS)
    letters = [
        "o" if unicodedata.decimal(character, 1) == 0 else character
        for character in folded
        if unicodedata.category(character)[0] in "LN"
    ]
    return "".join(letters).replace("rv", "m").replace("vv", "w")  # rn and vv
