"""Moments at which tests make Timba fail: each stands where a crash might lose or repeat something.

Off, a point costs a look at one global. `TIMBA_FAILPOINT=receiving.object_stored=exit@2` ends the
process when it comes by that point for the second time. It is never set where Timba is in earnest:
`manage.py check --deploy` refuses it.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

EXIT_CODE: Final = 86


def _sqlite_error(sentence: str, code: int) -> OperationalError:
    cause = sqlite3.OperationalError(sentence)
    cause.sqlite_errorcode = code
    error = OperationalError(sentence)
    error.__cause__ = cause
    return error


# What can go wrong at a point: at all of them the process may end.
_PROCESS: Final[Mapping[str, Exception]] = {}
_ERASING: Final[Mapping[str, Exception]] = {"eio": OSError(errno.EIO, "Input/output error")}
_WRITING: Final[Mapping[str, Exception]] = {
    **_ERASING,
    "enospc": OSError(errno.ENOSPC, "No space left on device"),
}
_DATABASE: Final[Mapping[str, Exception]] = {  # in SQLite's words
    "eio": _sqlite_error("disk I/O error", sqlite3.SQLITE_IOERR),
    "enospc": _sqlite_error("database or disk is full", sqlite3.SQLITE_FULL),
}
_SERVER: Final[Mapping[str, Exception]] = {  # it has done its work, and its answer is lost
    "reset": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
}

POINTS: Final[Mapping[str, Mapping[str, Exception]]] = {
    "idempotency.key_reserved": _PROCESS,
    "idempotency.effect_written": _DATABASE,
    "idempotency.response_committed": _PROCESS,
    "receiving.intent_committed": _DATABASE,
    "receiving.partly_written": _WRITING,
    "receiving.object_stored": _WRITING,
    "receiving.pending_written": _DATABASE,
    "receiving.event_written": _DATABASE,
    "receiving.object_deleted": _DATABASE,
    "tasks.notification_due": _PROCESS,
    "storage.opened": _WRITING,
    "storage.written": _WRITING,
    "storage.synced": _WRITING,
    "storage.linked": _WRITING,
    "storage.in_place": _WRITING,
    "storage.erased": _ERASING,
    "s3.object_put": _SERVER,
    "s3.multipart_created": _SERVER,
    "s3.part_sent": _SERVER,
    "s3.multipart_completed": _SERVER,
    "s3.erased": _SERVER,
    "s3.parts_listed": _SERVER,
    "processing.claimed": _DATABASE,
    "processing.derivative_named": _DATABASE,
    "processing.derivative_begun": _WRITING,
    "processing.read": _PROCESS,
    "processing.recorded": _DATABASE,
    "processing.event_written": _DATABASE,
    "processing.settled": _PROCESS,
    "sandbox.child_started": _PROCESS,
    "sandbox.copied": _WRITING,
    "sandbox.request_sent": _PROCESS,
    "temperatures.staged": _DATABASE,
    "services.retry_written": _DATABASE,
    "services.tombstone_written": _DATABASE,
    "sweeping.upload_abandoned": _DATABASE,
    "sweeping.upload_purged": _DATABASE,
    "sweeping.run_purged": _DATABASE,
    "sweeping.totals_discarded": _DATABASE,
    "sweeping.derivatives_erased": _DATABASE,
    "sweeping.original_erased": _DATABASE,
    "sweeping.notifications_recorded": _PROCESS,
    "outbox.numbered": _DATABASE,
    "relay.delivered": _DATABASE,
    "relay.marked": _DATABASE,
}

_alarm: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Fail here, where that was asked for."""
    if _alarm is not None:
        _alarm(name)


def arm(order: str) -> str:
    """Make Timba fail as ordered, once, `point=fault@passing`; an empty order makes nothing fail.

    Returns the order; raises ImproperlyConfigured for a point or a fault that there is not.
    """
    watch(_Fault(order) if order else None)
    return order


def watch(alarm: Callable[[str], None] | None) -> None:
    """Have `alarm` called with the name of each point that is passed; None calls nobody."""
    global _alarm  # noqa: PLW0603 - one look at a global is what a point may cost
    _alarm = alarm


def faults(point: str) -> tuple[str, ...]:
    """Return what a point can be made to do."""
    return ("exit", *POINTS[point])


class _Fault:
    """One failure, at one passing of one point."""

    def __init__(self, order: str) -> None:
        match = re.fullmatch(r"([a-z_.0-9]+)=([a-z]+)(?:@([1-9][0-9]*))?", order)
        if match is None:
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT is {order!r}. Give it like receiving.object_stored=exit@2, or "
                "leave it unset: it is for tests alone."
            )
        point, fault, passing = match.groups()
        if point not in POINTS:
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT names {point!r}, which is no point of failure. "
                "timba/failpoints.py lists them all."
            )
        if fault not in faults(point):
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT wants {fault!r} at {point}, where there can be "
                f"{', '.join(faults(point))}."
            )
        self._point, self._fault, self._passing = point, fault, int(passing or 1)
        self._passings = itertools.count(1)

    def __call__(self, name: str) -> None:
        if name != self._point or next(self._passings) != self._passing:
            return
        if self._fault == "exit":
            os._exit(EXIT_CODE)
        raise POINTS[name][self._fault]
