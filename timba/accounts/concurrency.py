"""Limits how much of something costly is done at once, and what share of it one caller may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Final

from timba.errors import Unavailable

WAIT_SECONDS: Final = 10
_BUSY: Final = "Many people are signing in just now. Try again in a moment."


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
