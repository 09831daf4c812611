"""Writes events into the outbox, in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from timba.events.models import OutboxEvent, Stream
from timba.failpoints import failpoint
from timba.serialization import dumps
from timba.wakeup import notify

# Even quoted, and with one event of a megabyte, a statement stays far below MariaDB's packet of
# 16 MB, the smallest of any database.
_AT_ONCE: Final = 50
_BYTES_AT_ONCE: Final = 500_000
_PAST_TENSE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "success": "succeeded",
    "failure": "failed",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A fact about one row: `noun` is its singular name, `body` its look in the API.

    `subject` names the larger thing whose story it belongs to, such as `consignment/7`.
    """

    noun: str
    action: str
    key: str
    body: Mapping[str, Any]
    client_id: int
    actor_id: int | None
    subject: str = ""

    @property
    def topic(self) -> str:
        return f"{self.noun}_events"

    @property
    def type(self) -> str:
        return f"timba.{self.noun}.{_PAST_TENSE[self.action]}"

    @property
    def source(self) -> str:
        return f"/clients/{self.client_id}/{self.noun}s"


def publish(*events: Event) -> None:
    """Number the events and write them; the last act of the caller's transaction.

    The client's stream row stays locked until the commit: numbers are gapless and in commit
    order, so a reader who asks for what comes after one can never skip another.
    Raises TransactionManagementError outside a transaction, where the event could outlive a
    change that fails, or the change the event.
    """
    if not transaction.get_connection().in_atomic_block:
        raise TransactionManagementError("An event is written in the transaction of its change.")
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    # In the order of their ids, so that two transactions never wait for each other's stream.
    ordered = sorted(events, key=lambda event: event.client_id)
    for client_id, group in groupby(ordered, key=lambda event: event.client_id):
        stream = _locked_stream(client_id)
        now = timezone.now()
        rows = [
            OutboxEvent(
                client_id=client_id,
                epoch=stream.epoch,
                sequence=stream.last_sequence + offset,
                topic=event.topic,
                key=event.key,
                type=event.type,
                source=event.source,
                time=now,
                actor_id=event.actor_id,
                request_id=request_id,
                subject=event.subject,
                value=dumps({"action": event.action, event.noun: event.body}).decode(),
            )
            for offset, event in enumerate(group, start=1)
        ]
        for some in _batches(rows):
            OutboxEvent.objects.bulk_create(some)
        failpoint("outbox.numbered")
        stream.last_sequence = rows[-1].sequence
        stream.save(update_fields=["last_sequence"])
    # Robust: what is committed is done, and an event that is not rung for is found by polling.
    transaction.on_commit(_wake_relay, robust=True)


def _batches(rows: Iterable[OutboxEvent]) -> Iterator[list[OutboxEvent]]:
    """Yield all rows in order, as many at a time as one statement may hold, and at least one."""
    batch: list[OutboxEvent] = []
    size = 0
    for row in rows:
        length = len(row.value.encode())
        if batch and (len(batch) == _AT_ONCE or size + length > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    yield batch


def _locked_stream(client_id: int) -> Stream:
    """Return the client's stream row, made with its first event, locked until the commit."""
    streams = Stream.objects.select_for_update()
    try:
        return streams.get(client_id=client_id)
    except Stream.DoesNotExist:
        Stream.objects.get_or_create(client_id=client_id)
        return streams.get(client_id=client_id)


def _wake_relay() -> None:
    notify("relay")
