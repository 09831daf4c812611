"""The outbox: events wait here beside the rows they tell of, and stay as the history."""

from __future__ import annotations

import uuid
from typing import Final, Self

from django.db import models

_BUDGET_CHARACTERS: Final = 8 * 1024**2
_CHUNK: Final = 50


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """Events, narrowed by what the relay and the history ask for."""

    def unpublished(self) -> Self:
        """Narrow to what no publisher has acknowledged yet, in the order it must leave."""
        return self.filter(published_at__isnull=True).order_by("id")

    def fetch_batch(self, limit: int) -> list[OutboxEvent]:
        """Return the first events: at most `limit`, and no more than fits in memory at once.

        There is always at least one if there is any, however large it is.
        """
        taken: list[OutboxEvent] = []
        size = 0
        for event in self[:limit].iterator(chunk_size=_CHUNK):
            size += len(event.value)
            if taken and size > _BUDGET_CHARACTERS:
                break
            taken.append(event)
        return taken


class Stream(models.Model):
    """One client's running number; its row is locked last, so numbers follow commit order."""

    client_id = models.BigIntegerField(primary_key=True)
    last_sequence = models.BigIntegerField(default=0)
    # Raised by a restore, so that consumers do not take new events for old ones.
    epoch = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"client {self.client_id} at {self.last_sequence}"


class OutboxEvent(models.Model):
    """One change that was committed, in the words that leave Timba."""

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
    # The larger thing whose story the change belongs to, such as `consignment/7`; empty: none.
    subject = models.CharField(max_length=64, blank=True)
    # Text, not a JSON column: the bytes that were promised are the bytes that are sent.
    value = models.TextField()
    published_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name = "event"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id"], name="event_id_is_unique"),
            # A restored outbox goes on counting where its backup ended, under the next epoch.
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


class RelayLease(models.Model):
    """Which relay may send now; its token fences off one that slept through its lease."""

    # One shard so far: a client's and a key's events must never be split between two.
    shard = models.PositiveSmallIntegerField(primary_key=True)
    # Drawn by each relay for itself; the lease is free once it has expired or was given back.
    token = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"shard {self.shard}, token {self.token}"
