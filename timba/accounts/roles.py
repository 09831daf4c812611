"""What people do with their client's own roles, and the rules that keep anyone from gaining by it.

Nobody may write into a role what they may not do themselves, nor change or delete a role that may
do more than they. The built-in roles can be neither changed nor deleted, not even by staff: that
is Forbidden, to everyone alike.
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
from timba.db.integrity import translate_integrity_errors
from timba.db.transactions import retry_on_deadlock, write_transaction
from timba.errors import Conflict, Forbidden, Invalid, NotFound

# What looks like each of the Latin letters of the built-in roles' names, small or capital, after
# case and compatibility forms are folded; see Unicode's confusables.txt (UTS 39).
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
    # Letters without a shape.
    "": "\u115f\u1160",
}
_PLAIN: Final = str.maketrans(
    {alike: plain for plain, letters in _LOOKALIKES.items() for alike in letters}
)


class RoleChanges(TypedDict, total=False):
    """What may change about a role; what is left out stays."""

    name: str
    permissions: list[str]


@retry_on_deadlock
def add_role(*, actor: User, client: Client, name: str, permissions: Iterable[str] = ()) -> Role:
    """Add a role of the client's own; raise Conflict when it has one of this name."""
    require(actor, Permission.MANAGE_USERS, client=client)
    role = Role(client=client, name=name, permissions=_in_order(permissions))
    _check_name(name)
    _check_gives_no_more(actor, role)
    _check_not_built_in(name)
    with _name_is_free(name), write_transaction():
        role.save()
    return role


@retry_on_deadlock
def change_role(*, actor: User, role: Role, **changes: Unpack[RoleChanges]) -> Role:
    """Change a role of the client's own; who has it may do the new things at once."""
    require(actor, Permission.MANAGE_USERS, client=role.client or actor.client)
    with _name_is_free(changes.get("name", role.name)), write_transaction():
        role = _locked(role)
        _check_may_change(actor, role)
        if changes.get("name", role.name) != role.name:
            _check_name(changes["name"])
            _check_not_built_in(changes["name"])
            role.name = changes["name"]
        if "permissions" in changes:
            role.permissions = _in_order(changes["permissions"])
            _check_gives_no_more(actor, role)
        role.save()
    return role


@retry_on_deadlock
def delete_role(*, actor: User, role: Role) -> None:
    """Remove a role of the client's own that no user has."""
    require(actor, Permission.MANAGE_USERS, client=role.client or actor.client)
    with transaction.atomic():
        role = _locked(role)
        _check_may_change(actor, role)
        if User.unscoped.filter(role=role).exists():
            raise Conflict("This role is in use: give its users another one first.")
        role.delete()


def _locked(role: Role) -> Role:
    """Lock the client's people, so that nobody is given the role meanwhile; read it afresh."""
    lock_seats(role.client)
    found = Role.unscoped.filter(pk=role.pk).first()
    if found is None:
        raise NotFound("There is no such role.")
    return found


def _check_may_change(actor: User, role: Role) -> None:
    if role.client_id is None:
        raise Forbidden("The built-in roles stay as they are: add a role of your own.")
    if not set(role.permissions) <= permissions_of(actor):
        raise Forbidden("This role may do more than yours: ask an owner to change it.")


def _check_gives_no_more(actor: User, role: Role) -> None:
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
        # Wherever a role is named, a number is the id of one.
        raise Invalid(fields={"name": ["A number would look like an id: give the role a word."]})


def _check_not_built_in(name: str) -> None:
    """The constraint lets a client take such a name, and people would give the wrong role."""
    for built_in in BUILT_IN_ROLES:
        if is_confusable(name, built_in):
            raise _taken(built_in)


def _in_order(permissions: Iterable[str]) -> list[str]:
    """Return each permission once, in the order in which all callers see them."""
    wanted = set(permissions)
    if not wanted <= set(Permission.values):
        known = ", ".join(Permission.values)
        raise Invalid(fields={"permissions": [f"A role's permissions are some of: {known}."]})
    return [permission for permission in Permission.values if permission in wanted]


def _name_is_free(name: str) -> AbstractContextManager[None]:
    return translate_integrity_errors({"role_name_is_unique": _taken(name)})


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a role named “{name}” already: choose another name.")


def is_confusable(name: str, other: str) -> bool:
    """Return whether two names can be taken for each other."""
    return _shape(name) == _shape(other)


def _shape(name: str) -> str:
    """Return the name's letters and digits without case, marks and differences between scripts."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    plain = plain.translate(_PLAIN)
    shown = [
        "o" if unicodedata.decimal(character, 1) == 0 else character
        for character in plain
        if unicodedata.category(character)[0] in "LN"
    ]
    return "".join(shown).replace("rv", "m").replace("vv", "w")  # rn and vv
