"""Rate limits, and a limit of concurrent calls, for what is costly or can be guessed.

Hits are counted in a database table with a row for each subject: a cache could evict them early.
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

WAIT_SECONDS: Final = 10  # for a slot
_BUSY: Final = "Many people are signing in just now. Try again in a moment."


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most `limit` hits of each subject in any period of length `window`.

    Hits of different scopes are counted apart; `sentence` replaces the default error message.
    """

    scope: str
    limit: int
    window: timedelta
    sentence: str | None = None


def check_rate(rate: Rate, *, subject: str) -> None:
    """Raise TooManyAttempts if `subject` has reached the limit; count no hit."""
    times = RateLimit.objects.filter(key=_key(rate, subject)).values_list("times", flat=True)
    _check_hits(rate, times.first() or [])


@retry_on_deadlock
def hit(rate: Rate, *, subject: str) -> None:
    """Count a hit of `subject`, or raise TooManyAttempts if it has reached the limit."""
    now = timezone.now()
    key = _key(rate, subject)
    with transaction.atomic():
        # Inserts or locks the row: each of several concurrent hits sees the previous one.
        RateLimit.objects.bulk_create(
            [RateLimit(key=key, expires_at=now + rate.window)],
            update_conflicts=True,
            update_fields=["expires_at"],
            # MariaDB and MySQL do not accept a target: any unique key counts.
            unique_fields=["key"] if connection.vendor != "mysql" else None,
        )
        row = RateLimit.objects.get(key=key)
        row.times = [*_check_hits(rate, row.times), now.timestamp()]
        row.save(update_fields=["times"])


def _key(rate: Rate, subject: str) -> str:
    return f"{rate.scope}:{subject}"


def _check_hits(rate: Rate, times: list[float]) -> list[float]:
    """Return the hits inside the window; raise TooManyAttempts if the limit is reached."""
    now = timezone.now().timestamp()
    window = rate.window.total_seconds()
    recent = sorted(time for time in times if time > now - window)
    if len(recent) < rate.limit:
        return recent
    wait = recent[-rate.limit] + window - now
    raise TooManyAttempts(rate.sentence, retry_after=max(1, math.ceil(wait)))


class ConcurrencyLimiter:
    """Allows `at_once` concurrent calls; up to `waiting` others wait for up to `WAIT_SECONDS`.

    Running and waiting calls each take a place. One group of callers takes at most half of the
    places, and never more than are left free after it: a flood from one group, or from two, leaves
    places for the others. The next slot goes to the group with the fewest places, first come
    first served.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._places = at_once + waiting
        self._taken: Counter[str] = Counter()
        self._idle = at_once
        self._waiting: list[_Ticket] = []
        self._lock = Lock()

    @contextmanager
    def slot(self, group: str) -> Iterator[None]:
        """Wait for a slot; raise Unavailable if too many calls wait or the wait is too long."""
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
                self._taken += Counter()  # drops groups with a count of 0

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
        """Hand the slot directly to a waiting call, so that no new call can overtake it."""
        if not self._waiting:
            self._idle += 1
            return
        successor = min(self._waiting, key=lambda ticket: self._taken[ticket.group])
        self._waiting.remove(successor)
        successor.granted.set()


class _Ticket:
    """A waiting call."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.granted = Event()
