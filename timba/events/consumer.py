"""The reference consumer: what a program does to take each event exactly once.

Delivery is at least once and in order per key: the first occurrences of a key's events come in
the order of their numbers, and everything else is a repeat. So it is enough to keep the last
(epoch, number) of each key, best beside what the key's row has become in the consumer's own
database. The epoch rises when Timba is restored from a backup and counts on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from timba.events.messages import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """An event as it arrived from a broker."""

    id: str
    client_id: int
    epoch: int
    sequence: int
    topic: str
    key: str
    type: str
    time: str
    request_id: str
    value: dict[str, Any]


class FirstOccurrences:
    """Remembers what has been taken, and lets each event pass once."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, message: Message) -> Received | None:
        """Return the event, or None where it is a repeat."""
        event = received(message)
        place, number = (event.topic, event.key), (event.epoch, event.sequence)
        if number <= self._last.get(place, (0, 0)):
            return None
        self._last[place] = number
        return event


def received(message: Message) -> Received:
    """Read a message's headers and value."""
    headers = message.headers
    return Received(
        id=headers["ce_id"],
        client_id=int(headers["ce_clientid"]),
        epoch=int(headers["ce_epoch"]),
        sequence=int(headers["ce_sequence"]),
        topic=message.topic,
        key=message.key,
        type=headers["ce_type"],
        time=headers["ce_time"],
        request_id=headers["ce_requestid"],
        value=orjson.loads(message.value),
    )
