"""Carries events from the outbox to the publisher: each at least once, a key's in their order.

It reads the events that are *unpublished*, in order. Reading on from the last id would lose
those whose transaction commits late, and several relays that share the rows would put them out
of order. A relay that dies leaves its batch unpublished; the next one delivers it again.
"""

from __future__ import annotations

import enum
import math
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from timba.db.outages import database_errors, drop_connection, is_database_outage
from timba.events.history import delete_old_events
from timba.events.messages import build_message
from timba.events.models import OutboxEvent, RelayLease
from timba.events.publishers import Delivery, Publisher
from timba.failpoints import failpoint
from timba.wakeup import Listener

_SHARD: Final = 0
_LEASE: Final = timedelta(seconds=15)
# An idle relay writes this often, not every time it looks for events.
_FRESH_SECONDS: Final = 5

_log = structlog.get_logger(__name__)

_BATCH: Final = 500
# Shorter than the five seconds in which a relay that is told to stop must be gone.
_DELIVERY_SECONDS: Final = 4.0
_POLL_SECONDS: Final = 1.0
_NAP_SECONDS: Final = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PRUNING_SECONDS: Final = 3600


class CycleResult(enum.Enum):
    """How a turn went, and so when the next one is due."""

    MOVED = enum.auto()
    IDLE = enum.auto()
    STANDBY = enum.auto()
    STUCK = enum.auto()


class Relay:
    """Takes turns until it is told to stop; without a publisher it only prunes."""

    def __init__(self, *, open_publisher: Callable[[], Publisher | None]) -> None:
        self._open_publisher = open_publisher
        self._publisher = open_publisher()
        self._lease = Lease()
        self._batch = _BATCH
        self._parked: defaultdict[str, set[str]] = defaultdict(set)
        self._complaint = ""
        self._stopping = False
        self._pruning_due = 0.0

    def stop(self) -> None:
        """Make `run` return once the turn that it is in is over; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Take turns until `stop`, then give the lease back."""
        bell = Listener("relay")
        pause = _FIRST_PAUSE
        try:
            while not self._stopping:
                turn = self.run_once()
                if turn is CycleResult.IDLE:
                    bell.wait(_POLL_SECONDS)
                elif turn is CycleResult.STANDBY:
                    self._sleep(_POLL_SECONDS)
                elif turn is CycleResult.STUCK:
                    self._sleep(pause)
                pause = (
                    min(pause * 2, _LONGEST_PAUSE) if turn is CycleResult.STUCK else _FIRST_PAUSE
                )
        finally:
            bell.close()
            self.close()

    def close(self) -> None:
        """Let go of the publisher and the lease."""
        if self._publisher is None:
            return
        self._publisher.close()
        try:
            self._lease.release()
        except database_errors():
            _log.warning("the relay's lease was not given back; it expires by itself")

    def run_once(self) -> CycleResult:
        """Deliver one batch, if this relay is the one that may, and mark what was acknowledged.

        Trouble is logged when it begins and when it is over, not all the while.
        """
        try:
            turn = self._take_turn()
        except database_errors() as error:
            drop_connection()
            self._complain(
                "the outbox does not answer; the relay tries again",
                reason=str(error),
                exc_info=None if is_database_outage(error) else error,
            )
            return CycleResult.STUCK
        if turn is CycleResult.STUCK:
            self._complain("the broker does not acknowledge events; they wait, and none is lost")
        elif self._complaint:
            _log.info("the relay is at work again")
            self._complaint = ""
        return turn

    def _complain(self, sentence: str, **facts: Any) -> None:
        if sentence != self._complaint:
            _log.warning(sentence, **facts)
            self._complaint = sentence

    def _take_turn(self) -> CycleResult:
        self._prune_when_due()
        if self._publisher is None or not self._lease.acquire():
            return CycleResult.STANDBY
        events = self._next_events()
        if not events:
            return CycleResult.IDLE
        outcomes = self._publisher.deliver(
            [build_message(event) for event in events], timeout=_DELIVERY_SECONDS
        )
        failpoint("relay.delivered")
        acked, failed = _sort_out(events, outcomes)
        if acked and not self._mark_published(acked):
            return CycleResult.STANDBY
        if not failed:
            self._batch = min(self._batch * 2, _BATCH)
            return CycleResult.MOVED
        return self._recover(failed, tried=len(events))

    def _next_events(self) -> list[OutboxEvent]:
        events = OutboxEvent.objects.unpublished()
        for topic, keys in self._parked.items():
            events = events.exclude(topic=topic, key__in=keys)
        return events.fetch_batch(self._batch)

    def _mark_published(self, events: Sequence[OutboxEvent]) -> bool:
        """Record the acknowledgements; refused to a relay that has lost its lease meanwhile."""
        with transaction.atomic():
            if not self._lease.renew():
                _log.warning("another relay has taken over", unmarked=len(events))
                return False
            ids = [event.pk for event in events]
            OutboxEvent.objects.filter(pk__in=ids).update(published_at=Now())
            failpoint("relay.marked")
        return True

    def _recover(self, failed: dict[OutboxEvent, Delivery], *, tried: int) -> CycleResult:
        """Start over with a fresh publisher; set aside the keys whose turn can never come.

        The next batch is half as large: when a broker refuses a whole batch, the message that is
        to blame ends up alone, and the others get through.
        """
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = self._open_publisher()
        refused = [event for event, outcome in failed.items() if outcome is Delivery.REFUSED]
        for event in refused:
            self._parked[event.topic].add(event.key)
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
        self._batch = max(1, tried // 2)
        return CycleResult.STUCK

    def _prune_when_due(self) -> None:
        if settings.TIMBA_EVENT_DAYS and time.monotonic() >= self._pruning_due:
            delete_old_events(
                days=settings.TIMBA_EVENT_DAYS, published_only=self._publisher is not None
            )
            self._pruning_due = time.monotonic() + _PRUNING_SECONDS

    def _sleep(self, seconds: float) -> None:
        """Sleep in naps, for `time.sleep` goes on after a signal."""
        wake_at = time.monotonic() + seconds
        while not self._stopping and (left := wake_at - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_SECONDS))


def _sort_out(
    events: Sequence[OutboxEvent], outcomes: Sequence[Delivery]
) -> tuple[list[OutboxEvent], dict[OutboxEvent, Delivery]]:
    """Return each key's acknowledged first events, and where each other key got stuck.

    An acknowledged event behind one that is not is kept back too: it is delivered again, after.
    """
    acked: list[OutboxEvent] = []
    stuck: dict[tuple[str, str], OutboxEvent] = {}
    failed: dict[OutboxEvent, Delivery] = {}
    for event, outcome in zip(events, outcomes, strict=True):
        place = (event.topic, event.key)
        if place in stuck:
            continue
        if outcome is Delivery.ACKED:
            acked.append(event)
        else:
            stuck[place] = event
            failed[event] = outcome
    return acked, failed


class Lease:
    """One relay's claim to be the one that sends."""

    def __init__(self) -> None:
        self._token = secrets.randbits(63)
        self._renewed_at = -math.inf

    def acquire(self) -> bool:
        """Whether this relay may send now; takes or renews the lease where that is needed."""
        return time.monotonic() - self._renewed_at < _FRESH_SECONDS or self.renew()

    def renew(self) -> bool:
        """Take the lease or make it last longer; False while another relay has it.

        Inside a transaction it is the fence: the row stays locked, so that nobody else can take
        the lease before the commit.
        """
        free_or_mine = Q(token=self._token) | Q(expires_at=None) | Q(expires_at__lt=Now())
        held = {"token": self._token, "expires_at": Now() + _LEASE}
        renewed = bool(RelayLease.objects.filter(free_or_mine, shard=_SHARD).update(**held))
        if not renewed:
            _, renewed = RelayLease.objects.get_or_create(shard=_SHARD, defaults=held)
        self._renewed_at = time.monotonic() if renewed else -math.inf
        return renewed

    def release(self) -> None:
        """Let another relay send at once."""
        RelayLease.objects.filter(shard=_SHARD, token=self._token).update(expires_at=None)
        self._renewed_at = -math.inf
