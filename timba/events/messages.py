"""What leaves Timba: an event as a message of a broker, in CloudEvents 1.0 binary mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

import orjson

from timba.events.models import OutboxEvent
from timba.serialization import format_utc


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as brokers know it."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def build_message(event: OutboxEvent) -> Message:
    """Return the event as it leaves; the same, headers and all, each time it is delivered."""
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
    id: str
    sequence: int
    topic: str
    key: str
    type: str
    time: datetime
    actor_id: int | None
    value: dict[str, Any]


def serialize_event(event: OutboxEvent) -> EventSchema:
    """Return the event as callers see it; `value` is what brokers got."""
    return EventSchema(
        id=str(event.event_id),
        sequence=event.sequence,
        topic=event.topic,
        key=event.key,
        type=event.type,
        time=event.time,
        actor_id=event.actor_id,
        value=orjson.loads(event.value),
    )
