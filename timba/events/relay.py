"""The relay: publishes the events of the outbox at least once, in order per key.

It reads *unpublished* events in the order of their ids. Reading on from the last id would lose
events whose transaction commits late, and several active relays would break the order, so one
holds a lease. If a relay dies, its batch stays unpublished and the next one delivers it again.
"""

from __future__ import annotations

import enum
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from timba.db.errors import database_errors, drop_connection, is_database_outage
from timba.events.history import delete_old_events
from timba.events.leases import Lease
from timba.events.messages import build_message
from timba.events.models import EventRow, OutboxEvent, ProcessLease
from timba.events.publishers import Delivery, Publisher
from timba.failpoints import failpoint
from timba.wakeup import Listener

_MAX_BATCH: Final = 1_000
# Shorter than the five seconds within which a relay must stop.
_DELIVERY_SECONDS: Final = 4.0
_POLL_SECONDS: Final = 1.0
_STOP_CHECK_SECONDS: Final = 0.5
_MIN_PAUSE, _MAX_PAUSE = 0.2, 5.0  # seconds
_DELETION_INTERVAL_SECONDS: Final = 3600
_log = structlog.get_logger(__name__)


class CycleResult(enum.Enum):
    """The result of one cycle, which decides the pause before the next."""

    MOVED = enum.auto()  # events were published
    IDLE = enum.auto()  # there are none
    STANDBY = enum.auto()  # another relay holds the lease
    STUCK = enum.auto()  # the broker or the database failed


class Relay:
    """Runs cycles until `stop`; without a publisher it only deletes old events."""

    def __init__(self, *, open_publisher: Callable[[], Publisher | None]) -> None:
        self._open_publisher = open_publisher
        self._publisher = open_publisher()
        self._lease = Lease(ProcessLease.Name.RELAY)
        self._batch_size = _MAX_BATCH
        self._blocked_keys: defaultdict[str, set[str]] = defaultdict(set)
        self._last_warning = ""
        self._stopping = False
        self._deletion_due = 0.0

    def stop(self) -> None:
        """Make `run` return after the current cycle; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Run cycles until `stop`, then release the lease."""
        listener = Listener("relay")
        pause = _MIN_PAUSE
        try:
            while not self._stopping:
                result = self.run_once()
                if result is CycleResult.IDLE:
                    listener.wait(_POLL_SECONDS)
                elif result is CycleResult.STANDBY:
                    self._sleep(_POLL_SECONDS)
                elif result is CycleResult.STUCK:
                    self._sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE) if result is CycleResult.STUCK else _MIN_PAUSE
        finally:
            listener.close()
            self.close()

    def close(self) -> None:
        """Close the publisher and release the lease."""
        if self._publisher is None:
            return
        self._publisher.close()
        try:
            self._lease.release()
        except database_errors():
            _log.warning("the relay's lease was not given back; it expires by itself")

    def run_once(self) -> CycleResult:
        """Deliver one batch if this relay holds the lease, and mark acknowledged events.

        A failure is logged when it begins and when it ends, not with each cycle.
        """
        try:
            result = self._run_cycle()
        except database_errors() as error:
            drop_connection()
            self._warn_once(
                "the outbox does not answer; the relay tries again",
                reason=str(error),
                exc_info=None if is_database_outage(error) else error,
            )
            return CycleResult.STUCK
        if result is CycleResult.STUCK:
            self._warn_once("the broker does not acknowledge events; they wait, and none is lost")
        elif self._last_warning:
            _log.info("the relay is at work again")
            self._last_warning = ""
        return result

    def _warn_once(self, sentence: str, **facts: Any) -> None:
        if sentence != self._last_warning:
            _log.warning(sentence, **facts)
            self._last_warning = sentence

    def _run_cycle(self) -> CycleResult:
        self._delete_old_events_when_due()
        if self._publisher is None or not self._lease.acquire():
            return CycleResult.STANDBY
        events = self._next_events()
        if not events:
            return CycleResult.IDLE
        outcomes = self._publisher.deliver(
            [build_message(event) for event in events], timeout=_DELIVERY_SECONDS
        )
        failpoint("relay.delivered")
        acked, failed = _split_outcomes(events, outcomes)
        if acked and not self._mark_published(acked):
            return CycleResult.STANDBY
        if not failed:
            self._batch_size = min(self._batch_size * 2, _MAX_BATCH)
            return CycleResult.MOVED
        return self._recover(failed, tried=len(events))

    def _next_events(self) -> list[EventRow]:
        events = OutboxEvent.objects.unpublished()
        for topic, keys in self._blocked_keys.items():
            events = events.exclude(topic=topic, key__in=keys)
        return events.fetch_rows(self._batch_size)

    def _mark_published(self, events: Sequence[EventRow]) -> bool:
        """Mark events as published; return False if this relay has lost its lease."""
        with transaction.atomic():
            if not self._lease.renew():
                _log.warning("another relay has taken over", unmarked=len(events))
                return False
            OutboxEvent.objects.with_ids([event.id for event in events]).update(published_at=Now())
            failpoint("relay.marked")
        return True

    def _recover(self, failed: dict[EventRow, Delivery], *, tried: int) -> CycleResult:
        """Open a new publisher, and skip the keys whose next event is permanently rejected.

        The next batch is half as large. If the broker rejects a whole batch because of one
        message, that message ends up in a batch of its own, and the others are delivered.
        """
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = self._open_publisher()
        refused = [event for event, outcome in failed.items() if outcome is Delivery.REJECTED]
        for event in refused:
            self._blocked_keys[event.topic].add(event.key)
            _log.error(
                "an event is too large for the broker; it and those of its key wait until the "
                "broker's limit is raised and the relay is started again",
                topic=event.topic,
                key=event.key,
                client_id=event.client_id,
                sequence=event.sequence,
                bytes=len(event.value.encode()),
            )
        if len(refused) == len(failed):
            return CycleResult.MOVED
        self._batch_size = max(1, tried // 2)
        return CycleResult.STUCK

    def _delete_old_events_when_due(self) -> None:
        if settings.TIMBA_EVENT_DAYS and time.monotonic() >= self._deletion_due:
            delete_old_events(
                days=settings.TIMBA_EVENT_DAYS, published_only=self._publisher is not None
            )
            self._deletion_due = time.monotonic() + _DELETION_INTERVAL_SECONDS

    def _sleep(self, seconds: float) -> None:
        """Sleep in short intervals, because `time.sleep` continues after a signal."""
        wake_at = time.monotonic() + seconds
        while not self._stopping and (left := wake_at - time.monotonic()) > 0:
            time.sleep(min(left, _STOP_CHECK_SECONDS))


def _split_outcomes(
    events: Sequence[EventRow], outcomes: Sequence[Delivery]
) -> tuple[list[EventRow], dict[EventRow, Delivery]]:
    """Return the events to mark as published, and the first failed event of each key.

    An event that was acknowledged after a failed one of its key is in neither: it is delivered
    again, after that one.
    """
    acked: list[EventRow] = []
    failed_keys: set[tuple[str, str]] = set()
    failed: dict[EventRow, Delivery] = {}
    for event, outcome in zip(events, outcomes, strict=True):
        key = (event.topic, event.key)
        if key in failed_keys:
            continue
        if outcome is Delivery.ACKED:
            acked.append(event)
        else:
            failed_keys.add(key)
            failed[event] = outcome
    return acked, failed
