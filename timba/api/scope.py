"""For whom a request acts: a member for the own client, staff for the one they name."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models

from timba.accounts.models import Client, User
from timba.accounts.tenancy import TenantQuerySet
from timba.errors import Invalid, NotFound

M = TypeVar("M", bound=models.Model)


def client_named(actor: User, client_id: Any) -> Client | None:
    """Return the client a parameter names, None where it names none.

    Raises NotFound alike for an absent client and for another one than the member's own.
    """
    if client_id in (None, ""):
        return None
    clients = Client.objects.visible_to(actor).select_related("subscription")
    return named(clients, client_id, "client_id")


def acting_client(actor: User, client_id: Any = None) -> Client:
    """Return the client that a write or a statistic is for.

    Raises Invalid when staff name none, NotFound as `client_named` does.
    """
    client = client_named(actor, client_id)
    if client is not None:
        return client
    if actor.client is None:
        raise Invalid(fields={"client_id": ["Say for which client: give its client_id."]})
    return actor.client


def narrowed(rows: TenantQuerySet[M], actor: User, client_id: Any) -> TenantQuerySet[M]:
    """Narrow visible rows to the client a list's `client_id` names, if it names one."""
    client = client_named(actor, client_id)
    return rows if client is None else rows.filter(client_id=client.pk)


def named(rows: TenantQuerySet[M], value: Any, field: str) -> M:
    """Return the visible row that the id in a query or a body names.

    Raises Invalid for what is no id, NotFound alike for foreign and absent rows.
    """
    return rows.one_or_not_found(pk=whole_number(value, field))


def whole_number(value: Any, name: str) -> int:
    """Return an id from a query, a path or a body; raise Invalid naming the field.

    A number that no row can have names nothing: NotFound.
    """
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise Invalid(fields={name: ["Give a whole number."]})
    if len(text) > len(str(2**63)) or int(text) >= 2**63:
        raise NotFound(f"There is no such {name.removesuffix('_id') or 'row'}.")
    return int(text)
