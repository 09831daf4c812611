"""Writes events to the outbox, in the transaction of the change that they describe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from timba.events.models import OutboxEvent, Stream
from timba.failpoints import failpoint
from timba.serialization import dumps
from timba.wakeup import notify

# Even quoted and with one event of a megabyte, a statement stays far below MariaDB's packet limit
# of 16 MB, the smallest of the supported databases.
_BATCH_SIZE: Final = 50
_BATCH_BYTES: Final = 500_000
_PAST_TENSE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "success": "succeeded",
    "failure": "failed",
}


def topic_of(noun: str) -> str:
    """Return the topic of the events of a kind of row."""
    return f"{noun}_events"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A change of one row: `noun` is its singular name, `body` its representation in the API.

    `subject` is the object whose timeline includes the event, such as `consignment/7`.
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
        return topic_of(self.noun)

    @property
    def type(self) -> str:
        return f"timba.{self.noun}.{_PAST_TENSE[self.action]}"

    @property
    def source(self) -> str:
        return f"/clients/{self.client_id}/{self.noun}s"


def publish(*events: Event) -> None:
    """Number and insert the events; call it last in the transaction of the change.

    The client's stream stays locked until the commit, so numbers are gapless and in the order of
    commits, and a reader of the events after a number cannot skip one.
    Raises TransactionManagementError outside a transaction, where an event could be stored without
    its change, or a change without its event.
    """
    if not transaction.get_connection().in_atomic_block:
        raise TransactionManagementError("An event is written in the transaction of its change.")
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    # Lock streams in the order of client ids, so that two transactions cannot deadlock.
    ordered = sorted(events, key=lambda event: event.client_id)
    for client_id, group in groupby(ordered, key=lambda event: event.client_id):
        stream = _lock_stream(client_id)
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
        for batch in _split_into_batches(rows):
            OutboxEvent.objects.bulk_create(batch)
        failpoint("outbox.numbered")
        stream.last_sequence = rows[-1].sequence
        stream.save(update_fields=["last_sequence"])
    # Robust: the change is committed, and the relay finds the event by polling if notify fails.
    transaction.on_commit(_wake_relay, robust=True)


def _split_into_batches(rows: Iterable[OutboxEvent]) -> Iterator[list[OutboxEvent]]:
    """Yield the rows in order, in batches of at least one that fit into a statement."""
    batch: list[OutboxEvent] = []
    size = 0
    for row in rows:
        length = len(row.value.encode())
        if batch and (len(batch) == _BATCH_SIZE or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    yield batch


def _lock_stream(client_id: int) -> Stream:
    """Return the client's stream, locked until the commit; create it if necessary."""
    streams = Stream.objects.select_for_update()
    try:
        return streams.get(client_id=client_id)
    except Stream.DoesNotExist:
        # A client that a restore has undone may have had the same number, and lower epochs.
        epoch = Stream.objects.aggregate(latest=Max("epoch"))["latest"] or 1
        Stream.objects.get_or_create(client_id=client_id, defaults={"epoch": epoch})
        return streams.get(client_id=client_id)


def _wake_relay() -> None:
    if settings.TIMBA_EVENT_PUBLISHER:  # otherwise the relay sends nothing
        notify("relay")
