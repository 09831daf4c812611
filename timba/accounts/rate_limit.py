"""Limits how often one caller may try something costly or guessable.

The times of a caller's latest hits are kept in one row of a table of their own, where nothing
pushes them out before their time: a cache forgets what it has no room for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Lock
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from timba.accounts.models import RateLimit
from timba.db.transactions import retry_on_deadlock
from timba.errors import TooManyAttempts, Unavailable

WAIT_SECONDS: Final = 10
_BUSY: Final = "Many people are signing in just now. Try again in a moment."


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most `limit` hits of each caller in any period as long as `window`."""

    scope: str
    limit: int
    window: timedelta
    sentence: str | None = None


def check_rate(rate: Rate, *, subject: str) -> None:
    """Raise TooManyAttempts when `subject` has no hit left; count nothing."""
    times = RateLimit.objects.filter(key=_key(rate, subject)).values_list("times", flat=True)
    _latest(rate, times.first() or [])


@retry_on_deadlock
def hit(rate: Rate, *, subject: str) -> None:
    """Count a hit of `subject`; raise TooManyAttempts, and count nothing, when none is left."""
    now = timezone.now()
    key = _key(rate, subject)
    with transaction.atomic():
        # Makes the row or locks it: of parallel hits, each sees the one before.
        RateLimit.objects.bulk_create(
            [RateLimit(key=key, expires_at=now + rate.window)],
            update_conflicts=True,
            update_fields=["expires_at"],
            # MariaDB takes any unique key that there is.
            unique_fields=["key"] if connection.vendor != "mysql" else None,
        )
        row = RateLimit.objects.get(key=key)
        row.times = [*_latest(rate, row.times), now.timestamp()]
        row.save(update_fields=["times"])


def _key(rate: Rate, subject: str) -> str:
    return f"{rate.scope}:{subject}"


def _latest(rate: Rate, times: list[float]) -> list[float]:
    """Return the times that still count; raise TooManyAttempts when they are as many as may be."""
    now = timezone.now().timestamp()
    window = rate.window.total_seconds()
    counting = sorted(time for time in times if time > now - window)
    if len(counting) < rate.limit:
        return counting
    wait = counting[-rate.limit] + window - now
    raise TooManyAttempts(rate.sentence, retry_after=max(1, math.ceil(wait)))


class ConcurrencyLimiter:
    """Runs a few at a time; only so many others may wait, and not for long.

    One group of callers gets half of the places at most, and never more of them than it leaves
    free: whoever floods it leaves places to the next group, and two who do to a third. Of those
    who wait, the first one of the group with the fewest places is next.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._places = at_once + waiting
        self._taken: Counter[str] = Counter()
        self._idle = at_once
        self._waiting: list[_Ticket] = []
        self._lock = Lock()

    @contextmanager
    def slot(self, group: str) -> Iterator[None]:
        """Wait for a slot; raise Unavailable when too many others wait or it takes too long."""
        with self._place(group):
            self._acquire(group)
            try:
                yield
            finally:
                with self._lock:
                    self._release()

    @contextmanager
    def _place(self, group: str) -> Iterator[None]:
        with self._lock:
            free = self._places - self._taken.total()
            if self._taken[group] >= min(free, max(1, self._places // 2)):
                raise Unavailable(_BUSY)
            self._taken[group] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[group] -= 1
                self._taken += Counter()  # drops the groups that have none

    def _acquire(self, group: str) -> None:
        with self._lock:
            if self._idle:
                self._idle -= 1
                return
            ticket = _Ticket(group)
            self._waiting.append(ticket)
        if not ticket.granted.wait(WAIT_SECONDS):
            with self._lock:
                if not ticket.granted.is_set():
                    self._waiting.remove(ticket)
                    raise Unavailable(_BUSY)

    def _release(self) -> None:
        """Hand the slot over: one that were merely free, a newcomer would take before its turn."""
        if not self._waiting:
            self._idle += 1
            return
        following = min(self._waiting, key=lambda ticket: self._taken[ticket.group])
        self._waiting.remove(following)
        following.granted.set()


class _Ticket:
    """One caller who waits."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.granted = Event()
