"""How events look outside Timba: as broker messages (CloudEvents 1.0 binary mode) and in JSON.

OpenAPI describes them by `EventSchema`: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypedDict

import orjson

from timba.events.models import EventRow, OutboxEvent
from timba.serialization import format_utc


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as a broker stores it."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def build_message(event: EventRow | OutboxEvent) -> Message:
    """Return the event as a message; every delivery of an event has the same headers and value."""
    return Message(
        topic=event.topic,
        key=event.key,
        value=event.value.encode(),
        headers={
            "ce_specversion": "1.0",
            "ce_id": str(event.event_id),
            "ce_source": event.source,
            "ce_type": event.type,
            "ce_subject": event.key,
            "ce_time": format_utc(event.time),
            "ce_sequence": str(event.sequence),
            "ce_epoch": str(event.epoch),
            "ce_requestid": event.request_id,
            "ce_clientid": str(event.client_id),
            "content-type": "application/json",
        },
    )


class EventSchema(TypedDict):
    """One change of a note, consignment, log or file."""

    id: Annotated[
        str,
        "Id of the event, the same each time it is delivered.",
        "0f3d9a1e-55b1-4d0c-8d8a-6c2f51b7aa03",
    ]
    epoch: Annotated[
        int,
        "Raised when Timba is restored from a backup: compare the epoch first, then `sequence`.",
        1,
    ]
    sequence: Annotated[
        int, "Number of the event within its client, counted from 1 without gaps.", 41
    ]
    topic: Annotated[
        str, "note_events, consignment_events, log_events or file_events.", "note_events"
    ]
    key: Annotated[str, "Id of the object that changed, as text.", "7"]
    type: Annotated[
        str,
        "What happened: timba.<noun>.<created, updated, deleted, succeeded or failed>.",
        "timba.note.created",
    ]
    time: Annotated[datetime, "When the change was made (UTC, ISO 8601).", "2026-03-02T08:15:00Z"]
    actor_id: Annotated[
        int | None, "Id of the user who made the change; null where Timba made it.", 3
    ]
    value: Annotated[
        dict[str, Any],
        "The action, and the object as it is after it; for a delete, as it was before.",
        {"action": "create", "note": {"id": 7, "title": "Bark"}},
    ]


def serialize_event(event: OutboxEvent) -> EventSchema:
    """Return the event as callers see it; `value` is the message that brokers get."""
    return EventSchema(
        id=str(event.event_id),
        epoch=event.epoch,
        sequence=event.sequence,
        topic=event.topic,
        key=event.key,
        type=event.type,
        time=event.time,
        actor_id=event.actor_id,
        value=orjson.loads(event.value),
    )
