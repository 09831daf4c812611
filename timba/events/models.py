"""The outbox table: events are stored with the changes they describe, and stay as the history."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import starmap
from typing import Final, NamedTuple, Self, TypeVar

from django.db import models

_MAX_BATCH_CHARACTERS: Final = 8 * 1024**2
_CHUNK: Final = 200


class EventRow(NamedTuple):
    """What a broker needs of an `OutboxEvent`; the fields are those of the model."""

    id: int
    event_id: uuid.UUID
    client_id: int
    epoch: int
    sequence: int
    topic: str
    key: str
    type: str
    source: str
    time: datetime
    request_id: str
    value: str


_AnyEvent = TypeVar("_AnyEvent", "OutboxEvent", EventRow)


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """The queries of the relay and the history."""

    def unpublished(self) -> Self:
        """Return the events that no publisher has acknowledged, in the order of delivery."""
        return self.filter(published_at__isnull=True).order_by("id")

    def with_ids(self, ids: Sequence[int]) -> Self:
        """Return the events with the given ids, which are in ascending order.

        Ids without a gap are a range, which a database parses far faster than a list.
        """
        if ids and ids[-1] - ids[0] + 1 == len(ids):
            return self.filter(pk__range=(ids[0], ids[-1]))
        return self.filter(pk__in=ids)

    def fetch_batch(self, limit: int) -> list[OutboxEvent]:
        """Return the first events: at most `limit`, and about 8 million characters of values.

        The first event is returned whatever its size.
        """
        return _take_until_full(self[:limit].iterator(chunk_size=_CHUNK))

    def fetch_rows(self, limit: int) -> list[EventRow]:
        """Return the same events as `fetch_batch`, as tuples, which are built far faster."""
        rows = self.values_list(*EventRow.__annotations__)[:limit].iterator(chunk_size=_CHUNK)
        return _take_until_full(starmap(EventRow, rows))


def _take_until_full(events: Iterable[_AnyEvent]) -> list[_AnyEvent]:
    batch: list[_AnyEvent] = []
    size = 0
    for event in events:
        size += len(event.value)
        if batch and size > _MAX_BATCH_CHARACTERS:
            break
        batch.append(event)
    return batch


class Stream(models.Model):
    """A client's event stream: the sequence number of its last event.

    A transaction locks this row last, so numbers are in the order of commits.
    """

    client_id = models.BigIntegerField(primary_key=True)
    last_sequence = models.BigIntegerField(default=0)
    # A restore increments it, so that consumers can tell reused numbers from duplicates.
    epoch = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"client {self.client_id} at {self.last_sequence}"


class OutboxEvent(models.Model):
    """One committed change, as it is published."""

    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    client_id = models.BigIntegerField()
    epoch = models.PositiveIntegerField()
    sequence = models.BigIntegerField()
    topic = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    source = models.CharField(max_length=128)
    time = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    # The object whose timeline includes the event, such as `consignment/7`; may be empty.
    subject = models.CharField(max_length=64, blank=True)
    # Text, not a JSON column: every delivery sends exactly the same bytes.
    value = models.TextField()
    published_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name = "event"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id"], name="event_id_is_unique"),
            # A restored outbox continues with the numbers of its backup, in the next epoch.
            models.UniqueConstraint(
                fields=["client_id", "sequence"], name="event_sequence_is_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["published_at", "id"], name="event_unpublished"),
            models.Index(fields=["client_id", "subject", "sequence"], name="event_timeline"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.key} ({self.client_id}/{self.sequence})"


class ProcessLease(models.Model):
    """The lease of the one process that may do some work; `token` identifies the holder."""

    class Name(models.IntegerChoices):
        RELAY = 0
        LAKE = 1

    # The column keeps its earlier name, by which relays of the last version find it.
    name = models.PositiveSmallIntegerField(primary_key=True, choices=Name, db_column="shard")
    # Random, chosen by each process. The lease is free after it has expired or been released.
    token = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_relaylease"

    def __str__(self) -> str:
        return f"{self.Name(self.name).label}, token {self.token}"
