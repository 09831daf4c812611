"""How an event looks in the history that the API shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import orjson

from timba.events.models import OutboxEvent


class EventShape(TypedDict):
    id: str
    sequence: int
    topic: str
    key: str
    type: str
    time: datetime
    actor_id: int | None
    value: dict[str, Any]


def event_shape(event: OutboxEvent) -> EventShape:
    """Return the event as callers see it; `value` is what brokers got."""
    return EventShape(
        id=str(event.event_id),
        sequence=event.sequence,
        topic=event.topic,
        key=event.key,
        type=event.type,
        time=event.time,
        actor_id=event.actor_id,
        value=orjson.loads(event.value),
    )
