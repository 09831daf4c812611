"""Forgets old events, where the operator asked for it with `TIMBA_EVENT_DAYS`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from django.utils import timezone

from timba.events.models import OutboxEvent

_log = structlog.get_logger(__name__)

# Small enough that nobody waits long for the write lock of SQLite.
_CHUNK: Final = 1000


def prune(*, days: int, published_only: bool) -> int:
    """Delete the events that are older than `days` and return how many they were.

    With `published_only`, what still waits for its broker stays, however old. Events are read in
    the order of their ids, which is nearly that of their times, and only as far as the old reach.
    """
    cutoff = timezone.now() - timedelta(days=days)
    deleted, last_id = 0, 0
    while True:
        rows = list(
            OutboxEvent.objects.filter(pk__gt=last_id)
            .order_by("pk")
            .values_list("pk", "time", "published_at")[:_CHUNK]
        )
        old = [
            pk
            for pk, at, published_at in rows
            if at < cutoff and (published_at is not None or not published_only)
        ]
        deleted += OutboxEvent.objects.filter(pk__in=old).delete()[0]
        if len(rows) < _CHUNK or rows[-1][1] >= cutoff:
            break
        last_id = rows[-1][0]
    if deleted:
        _log.info("old events were deleted", events=deleted, days=days)
    return deleted
