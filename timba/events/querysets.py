"""How the outbox is read: always in order, and never more at once than fits in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from django.db import models

if TYPE_CHECKING:
    from timba.events.models import OutboxEvent

_BUDGET_CHARACTERS: Final = 8 * 1024**2
_CHUNK: Final = 50


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """Events, narrowed by what the relay and the history ask for."""

    def unpublished(self) -> Self:
        """Narrow to what no publisher has acknowledged yet, in the order it must leave."""
        return self.filter(published_at__isnull=True).order_by("id")

    def take(self, limit: int) -> list[OutboxEvent]:
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
