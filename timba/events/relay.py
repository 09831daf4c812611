"""The relay: publishes the events of the outbox at least once, in order per key.

It reads *unpublished* events in the order of their ids. Reading on from the last id would lose
events whose transaction commits late, and several active relays would break the order, so one
holds a lease. If a relay dies, its batch stays unpublished and the next one delivers it again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from timba.db.errors import database_errors, drop_connection, is_database_outage
from timba.events.history import delete_old_events
from timba.events.leased_process import CycleResult, LeasedProcess
from timba.events.messages import build_message
from timba.events.models import EventRow, OutboxEvent, ProcessLease
from timba.events.publishers import Delivery, Publisher
from timba.failpoints import failpoint

_MAX_BATCH: Final = 1_000
# Shorter than the five seconds within which a relay must stop.
_DELIVERY_SECONDS: Final = 4.0
_DELETION_INTERVAL_SECONDS: Final = 3600
_log = structlog.get_logger(__name__)


class Relay(LeasedProcess):
    """Publishes the events of the outbox; without a publisher it only deletes old ones."""

    min_pause, max_pause = 0.2, 5.0

    def __init__(self, *, open_publisher: Callable[[], Publisher | None]) -> None:
        super().__init__(ProcessLease.Name.RELAY)
        self._open_publisher = open_publisher
        self._publisher = open_publisher()
        self._batch_size = _MAX_BATCH
        self._blocked_keys: defaultdict[str, set[str]] = defaultdict(set)
        self._deletion_due = 0.0

    def close(self) -> None:
        """Close the publisher and release the lease."""
        if self._publisher is not None:
            self._publisher.close()
        super().close()

    def run_once(self) -> CycleResult:
        """Deliver one batch if this relay holds the lease, and mark acknowledged events."""
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
        else:
            self._log_recovery("the relay is at work again")
        return result

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
