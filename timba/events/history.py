"""The history: reads a client's events from the outbox, waits for new ones, deletes old ones."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from threading import BoundedSemaphore
from typing import Final

import structlog
from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from timba.errors import Conflict
from timba.events.models import OutboxEvent, OutboxQuerySet, Stream

_log = structlog.get_logger(__name__)
# Small enough that other writers do not wait long for SQLite's write lock.
_BATCH_SIZE: Final = 1000

MAX_WAIT_SECONDS: Final = 25
_HIGHEST: Final = 2**63 - 1
_POSITION: Final = re.compile(r"(?:([0-9]{1,10})\.)?([0-9]{1,19})")
_POLL_SECONDS: Final = 0.2


def parse_position(text: str) -> tuple[int | None, int]:
    """Return the epoch, or None, and the number in `<epoch>.<sequence>` or `<sequence>`.

    Raises ValueError for anything else.
    """
    match = _POSITION.fullmatch(text)
    if match is None or int(match[2]) > _HIGHEST:
        raise ValueError("Give a sequence number, or an epoch and one, such as 1.41.")
    return int(match[1]) if match[1] else None, int(match[2])


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Some of a client's events, oldest first; the next page is read with `after=position`.

    `epoch` is the client's current one.
    """

    events: list[OutboxEvent]
    position: int
    epoch: int


class Restored(Conflict):
    """A restore has begun a newer epoch: go on after `position` in `epoch`."""

    def __init__(self, *, epoch: int, position: int) -> None:
        self.epoch, self.position = epoch, position
        super().__init__(
            "Timba was restored from a backup, and the events after it were lost. "
            f"Go on with after={epoch}.{position}."
        )


def check_epoch(*, client_id: int, epoch: int, after: int) -> None:
    """Raise Restored unless `epoch`, in which a caller has read up to `after`, is the current one.

    Every restore begins an epoch with a higher number, so the events that the caller has read and
    that were not lost are those before the first event of a higher epoch.
    """
    current, last = _stream_state(client_id)
    if epoch == current:
        return
    newer = OutboxEvent.objects.filter(client_id=client_id, epoch__gt=epoch)
    first_newer = newer.aggregate(first=Min("sequence"))["first"]
    kept = last if first_newer is None else first_newer - 1
    # An epoch that is not known here: nothing is known to be the same as what the caller has read.
    raise Restored(epoch=current, position=min(after, kept) if epoch < current else 0)


def events_after(*, client_id: int, after: int, topic: str | None, limit: int) -> EventPage:
    """Return the client's events with numbers above `after`, of one topic or of all.

    Numbers follow the order of commits, so no event appears later at or before `position`. An
    `after` above the last number means that a restore from a backup has removed events; `position`
    is then the last number, so that the caller does not skip new events with reused numbers.
    """
    epoch, last = _stream_state(client_id)
    rows = OutboxEvent.objects.filter(client_id=client_id, sequence__gt=after)
    if topic is not None:
        rows = rows.filter(topic=topic)
    events = rows.order_by("sequence").fetch_batch(limit)
    # If the topic has no new events, the next page need not scan those of the other topics again.
    position = events[-1].sequence if events else last
    return EventPage(events=events, position=position, epoch=epoch)


def timeline_of(subject: str, *, client_id: int) -> OutboxQuerySet:
    """Return the events of a subject, such as `consignment/7`, newest first."""
    events = OutboxEvent.objects.filter(client_id=client_id, subject=subject)
    return events.order_by("-sequence")


def wait_for_events(
    *, client_id: int, after: int, topic: str | None, limit: int, seconds: float
) -> EventPage:
    """Return `events_after`, waiting up to `seconds` for an event if there is none.

    At most a quarter of the server's threads wait; further calls return at once.
    """
    page = events_after(client_id=client_id, after=after, topic=topic, limit=limit)
    if page.events or seconds <= 0 or not _wait_slots().acquire(blocking=False):
        return page
    try:
        until = time.monotonic() + min(seconds, MAX_WAIT_SECONDS)
        while not page.events and (left := until - time.monotonic()) > 0:
            time.sleep(min(_POLL_SECONDS, left))
            if _stream_state(client_id)[1] > page.position:
                page = events_after(
                    client_id=client_id, after=page.position, topic=topic, limit=limit
                )
    finally:
        _wait_slots().release()
    return page


def oldest_unpublished_seconds() -> float | None:
    """Return the age of the oldest unpublished event in seconds, or None if there is none.

    Without a publisher, events are not waiting to be published: None.
    """
    if not settings.TIMBA_EVENT_PUBLISHER:
        return None
    oldest = OutboxEvent.objects.unpublished().values_list("time", flat=True).first()
    return None if oldest is None else max(0.0, (timezone.now() - oldest).total_seconds())


def count_unpublished() -> int:
    """Return how many events no publisher has acknowledged."""
    return OutboxEvent.objects.unpublished().count()


def _stream_state(client_id: int) -> tuple[int, int]:
    """Return the client's epoch and the number of its last event."""
    streams = Stream.objects.filter(client_id=client_id)
    return streams.values_list("epoch", "last_sequence").first() or (1, 0)


@cache
def _wait_slots() -> BoundedSemaphore:
    return BoundedSemaphore(max(1, settings.TIMBA_WEB_THREADS // 4))


def delete_old_events(*, days: int, published_only: bool) -> int:
    """Delete events older than `days`, and return their number.

    With `published_only`, unpublished events are kept at any age. Events are read in the order of
    their ids, which is roughly that of their times, until a batch ends with a newer one.
    """
    cutoff = timezone.now() - timedelta(days=days)
    deleted, last_id = 0, 0
    while True:
        rows = list(
            OutboxEvent.objects.filter(pk__gt=last_id)
            .order_by("pk")
            .values_list("pk", "time", "published_at")[:_BATCH_SIZE]
        )
        old = [
            pk
            for pk, at, published_at in rows
            if at < cutoff and (published_at is not None or not published_only)
        ]
        deleted += OutboxEvent.objects.filter(pk__in=old).delete()[0]
        if len(rows) < _BATCH_SIZE or rows[-1][1] >= cutoff:
            break
        last_id = rows[-1][0]
    if deleted:
        _log.info("old events were deleted", events=deleted, days=days)
    return deleted
