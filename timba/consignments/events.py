"""The events of consignments and logs."""

from __future__ import annotations

from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.consignments.schemas import serialize_consignment, serialize_log
from timba.events.outbox import Event


def subject_of(consignment_id: int | None) -> str:
    """Return the event subject of a consignment, or an empty string for None."""
    return "" if consignment_id is None else f"consignment/{consignment_id}"


def consignment_event(action: str, consignment: Consignment, *, actor: User | None) -> Event:
    """Return the event that `actor` did `action` (create, update or delete) to a consignment.

    Without an actor, Timba did it.
    """
    return Event(
        noun="consignment",
        action=action,
        key=str(consignment.pk),
        body=serialize_consignment(consignment),
        client_id=consignment.client_id,
        actor_id=None if actor is None else actor.pk,
        subject=subject_of(consignment.pk),
    )


def log_event(action: str, log: Log, *, actor: User) -> Event:
    """Return the event that `actor` did `action` (create, update or delete) to a log."""
    return Event(
        noun="log",
        action=action,
        key=str(log.pk),
        body=serialize_log(log),
        client_id=log.client_id,
        actor_id=actor.pk,
        subject=subject_of(log.consignment_id),
    )
