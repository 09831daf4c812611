"""Reads a client's events back: who did what, when; at once or as soon as there is something."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from threading import BoundedSemaphore
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from timba.events.models import OutboxEvent, Stream

_log = structlog.get_logger(__name__)
# Small enough that nobody waits long for the write lock of SQLite.
_CHUNK: Final = 1000

MAX_WAIT_SECONDS: Final = 25
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """A stretch of a client's history, oldest first; what follows it lies behind `position`."""

    events: list[OutboxEvent]
    position: int


def events_after(*, client_id: int, after: int, topic: str | None, limit: int) -> EventPage:
    """Return the client's events with numbers above `after`, of one topic or of all.

    Numbers follow the order of commits, so no event appears later at or before `position`. An
    `after` above the last number means that a restore from a backup has removed events; `position`
    is then the last number, so that the caller does not skip new events with reused numbers.
    """
    last = _last_sequence(client_id)
    rows = OutboxEvent.objects.filter(client_id=client_id, sequence__gt=after)
    if topic is not None:
        rows = rows.filter(topic=topic)
    events = rows.order_by("sequence").fetch_batch(limit)
    # Where a topic had nothing, the other topics' events need not be looked through again.
    return EventPage(events=events, position=events[-1].sequence if events else last)


def timeline_of(
    subject: str, *, client_id: int, limit: int, before: int | None = None
) -> list[OutboxEvent]:
    """Return what happened to a larger thing and all that belongs to it, newest first."""
    rows = OutboxEvent.objects.filter(client_id=client_id, subject=subject)
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    return rows.order_by("-sequence").fetch_batch(limit)


def wait_for_events(
    *, client_id: int, after: int, topic: str | None, limit: int, seconds: float
) -> EventPage:
    """Do as `events_after`, but hold an empty answer for up to `seconds`.

    At most a quarter of the server's threads wait; whoever comes on top is answered at once.
    """
    chapter = events_after(client_id=client_id, after=after, topic=topic, limit=limit)
    if chapter.events or seconds <= 0 or not _waiting_places().acquire(blocking=False):
        return chapter
    try:
        until = time.monotonic() + min(seconds, MAX_WAIT_SECONDS)
        while not chapter.events and (left := until - time.monotonic()) > 0:
            time.sleep(min(_LOOK_SECONDS, left))
            if _last_sequence(client_id) > chapter.position:
                chapter = events_after(
                    client_id=client_id, after=chapter.position, topic=topic, limit=limit
                )
    finally:
        _waiting_places().release()
    return chapter


def oldest_unpublished_seconds() -> float | None:
    """Return for how long the oldest event has waited for the broker; None where there is none.

    Without a publisher events wait for nothing: they are the history.
    """
    if not settings.TIMBA_EVENT_PUBLISHER:
        return None
    oldest = OutboxEvent.objects.unpublished().values_list("time", flat=True).first()
    return None if oldest is None else max(0.0, (timezone.now() - oldest).total_seconds())


def _last_sequence(client_id: int) -> int:
    streams = Stream.objects.filter(client_id=client_id)
    return streams.values_list("last_sequence", flat=True).first() or 0


@cache
def _waiting_places() -> BoundedSemaphore:
    return BoundedSemaphore(max(1, settings.TIMBA_WEB_THREADS // 4))


def delete_old_events(*, days: int, published_only: bool) -> int:
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
