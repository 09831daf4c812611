"""Writes of consignments; `logs` has those of their logs, `trash` deletes and restores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TypedDict, Unpack

from django.db import transaction

from timba.accounts.authorization import require
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.consignments.events import consignment_event
from timba.consignments.models import (
    MAX_CONSIGNMENT_NAME,
    MAX_VEHICLE_NUMBER,
    Consignment,
    DeletedConsignment,
    lock_consignment,
)
from timba.db.errors import translate_integrity_errors
from timba.db.transactions import apply_changes, retry_on_deadlock, write_transaction
from timba.errors import Conflict, Invalid, NotFound
from timba.events.outbox import publish
from timba.places.services import check_city_number


class ConsignmentChanges(TypedDict, total=False):
    """The fields of a consignment to change."""

    name: str
    type: str
    vehicle_number: str
    city_id: int | None


@retry_on_deadlock
def open_consignment(
    *,
    actor: User,
    client: Client,
    name: str,
    type: str,  # noqa: A002 - the name in the API
    vehicle_number: str = "",
    city_id: int | None = None,
    created_by: User | None = None,
) -> Consignment:
    """Register a lorry load; raise Conflict when the client has one of this name."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=client)
    author = _resolve_author(created_by or actor, client_id=client.pk)
    consignment = Consignment(
        client=client,
        name=name,
        type=type,
        vehicle_number=vehicle_number,
        city_id=city_id,
        created_by=author,
        updated_by=author,
    )
    _check_consignment(consignment)
    with _conflict_if_name_taken(name), write_transaction():
        consignment.save()
        publish(consignment_event("create", consignment, actor=actor))
    return consignment


@retry_on_deadlock
def change_consignment(
    *,
    actor: User,
    consignment: Consignment,
    updated_by: User | None = None,
    **changes: Unpack[ConsignmentChanges],
) -> Consignment:
    """Change a consignment; raise Conflict if another one of the client has the new name."""
    require(actor, Permission.WRITE_CONSIGNMENTS, client=consignment.client)
    author = _resolve_author(updated_by or actor, client_id=consignment.client_id)
    with _conflict_if_name_taken(changes.get("name", consignment.name)), write_transaction():
        consignment = lock_consignment(consignment)
        # A new author is a change of its own only if the caller names one.
        changes_author = updated_by is not None and consignment.updated_by_id != author.pk
        changed = apply_changes(consignment, changes) or changes_author
        _check_consignment(consignment)
        if changed:
            consignment.updated_by = author
            consignment.save()
            publish(consignment_event("update", consignment, actor=actor))
    return consignment


@retry_on_deadlock
def recount_consignment(consignment: Consignment | DeletedConsignment) -> None:
    """Set the totals of a consignment to those of its logs, for `fsck`.

    Those of a deleted one are corrected without an event: its restoration publishes them.
    """
    with transaction.atomic():
        if isinstance(consignment, DeletedConsignment):
            rows = DeletedConsignment.unscoped.filter(pk=consignment.pk)
            count, volume = count_logs(rows.select_for_update().get())
            rows.update(log_count=count, volume=volume)
            return
        consignment = lock_consignment(consignment)
        consignment.log_count, consignment.volume = count_logs(consignment)
        consignment.save(update_fields=["log_count", "volume", "updated_at"])
        publish(consignment_event("update", consignment, actor=None))


def count_logs(consignment: Consignment | DeletedConsignment) -> tuple[int, Decimal]:
    """Return the number of a consignment's logs and their exact volume."""
    # SQLite adds decimals as binary fractions.
    volumes = list(consignment.logs.values_list("volume", flat=True))
    return len(volumes), sum(volumes, Decimal(0))


def _check_consignment(consignment: Consignment) -> None:
    """Raise Invalid for the first field that is not valid."""
    if not consignment.name.strip() or len(consignment.name) > MAX_CONSIGNMENT_NAME:
        raise Invalid(
            fields={
                "name": [f"A consignment has a name of 1 to {MAX_CONSIGNMENT_NAME} characters."]
            }
        )
    if consignment.type not in Consignment.Type.values:
        raise Invalid(fields={"type": ["A consignment is hardwood or pinewood."]})
    if len(consignment.vehicle_number) > MAX_VEHICLE_NUMBER:
        sentence = f"A vehicle number has at most {MAX_VEHICLE_NUMBER} characters."
        raise Invalid(fields={"vehicle_number": [sentence]})
    if consignment.city_id is not None:
        check_city_number(consignment.city_id)


def _resolve_author(author: User, *, client_id: int) -> User:
    """Return the author; raise NotFound for another client's user."""
    if author.client_id not in {client_id, None}:
        raise NotFound("There is no such user.")
    return author


def _conflict_if_name_taken(name: str) -> AbstractContextManager[None]:
    conflict = Conflict(f"There is a consignment named “{name}” already.")
    return translate_integrity_errors({"consignment_name_is_unique": conflict})
