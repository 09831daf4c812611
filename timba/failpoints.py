"""Failpoints: named places in the code at which tests inject a crash or an error.

Each marks a place where a crash might lose or repeat work. A disabled failpoint costs one read of a
global. `TIMBA_FAILPOINT=receiving.object_stored=exit@2` ends the process the second time it
reaches that point. It must not be set in production: `timba check --deploy` rejects it.
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


# The errors that can occur at each kind of failpoint; the process can exit at any of them.
_EXIT_ONLY: Final[Mapping[str, Exception]] = {}
_DELETING: Final[Mapping[str, Exception]] = {"eio": OSError(errno.EIO, "Input/output error")}
_WRITING: Final[Mapping[str, Exception]] = {
    **_DELETING,
    "enospc": OSError(errno.ENOSPC, "No space left on device"),
}
_DATABASE: Final[Mapping[str, Exception]] = {  # as SQLite reports them
    "eio": _sqlite_error("disk I/O error", sqlite3.SQLITE_IOERR),
    "enospc": _sqlite_error("database or disk is full", sqlite3.SQLITE_FULL),
}
_SERVER: Final[Mapping[str, Exception]] = {  # the request succeeded and its response is lost
    "reset": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
}

POINTS: Final[Mapping[str, Mapping[str, Exception]]] = {
    "idempotency.key_reserved": _EXIT_ONLY,
    "idempotency.effect_written": _DATABASE,
    "idempotency.response_committed": _EXIT_ONLY,
    "receiving.intent_committed": _DATABASE,
    "receiving.partly_written": _WRITING,
    "receiving.object_stored": _WRITING,
    "receiving.pending_written": _DATABASE,
    "receiving.event_written": _DATABASE,
    "receiving.object_deleted": _DATABASE,
    "resumable.written": _WRITING,
    "resumable.unverified": _WRITING,
    "resumable.synced": _WRITING,
    "resumable.recorded": _DATABASE,
    "resumable.accepted": _EXIT_ONLY,
    "resumable.bytes_deleted": _DELETING,
    "tasks.notification_due": _EXIT_ONLY,
    "storage.opened": _WRITING,
    "storage.written": _WRITING,
    "storage.synced": _WRITING,
    "storage.linked": _WRITING,
    "storage.in_place": _WRITING,
    "storage.erased": _DELETING,
    "s3.object_put": _SERVER,
    "s3.multipart_created": _SERVER,
    "s3.part_sent": _SERVER,
    "s3.multipart_completed": _SERVER,
    "s3.erased": _SERVER,
    "s3.parts_listed": _SERVER,
    "indexing.text_staged": _DATABASE,
    "processing.claimed": _DATABASE,
    "processing.derivative_named": _DATABASE,
    "processing.derivative_begun": _WRITING,
    "processing.read": _EXIT_ONLY,
    "processing.recorded": _DATABASE,
    "processing.event_written": _DATABASE,
    "processing.settled": _EXIT_ONLY,
    "previews.named": _DATABASE,
    "previews.stored": _DATABASE,
    "sandbox.child_started": _EXIT_ONLY,
    "sandbox.copied": _WRITING,
    "sandbox.request_sent": _EXIT_ONLY,
    "temperatures.staged": _DATABASE,
    "services.retry_written": _DATABASE,
    "services.tombstone_written": _DATABASE,
    "services.restored": _DATABASE,
    "sweeping.upload_abandoned": _DATABASE,
    "sweeping.upload_purged": _DATABASE,
    "sweeping.run_purged": _DATABASE,
    "sweeping.erasure_begun": _DATABASE,
    "sweeping.totals_discarded": _DATABASE,
    "sweeping.derivatives_erased": _DATABASE,
    "sweeping.original_erased": _DATABASE,
    "sweeping.notifications_recorded": _EXIT_ONLY,
    "trash.logs_copied": _DATABASE,
    "outbox.numbered": _DATABASE,
    "relay.delivered": _DATABASE,
    "relay.marked": _DATABASE,
    "lake.object_rewritten": _WRITING,
    "lake.object_exchanged": _DATABASE,
    "lake.committed": _DATABASE,
}

_hook: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Fail here if this failpoint is armed."""
    if _hook is not None:
        _hook(name)


def arm(spec: str) -> str:
    """Arm one failpoint by `point=fault@pass`, to fail once; an empty `spec` disarms all.

    Return `spec`. Raise ImproperlyConfigured for an unknown point or fault.
    """
    set_hook(_Fault(spec) if spec else None)
    return spec


def set_hook(hook: Callable[[str], None] | None) -> None:
    """Call `hook` with the name of each failpoint that is reached; None removes the hook."""
    global _hook  # noqa: PLW0603 - a disabled failpoint may cost one read of a global
    _hook = hook


def faults(point: str) -> tuple[str, ...]:
    """Return the faults that can be injected at a failpoint."""
    return ("exit", *POINTS[point])


class _Fault:
    """One failure, the n-th time that one failpoint is reached."""

    def __init__(self, spec: str) -> None:
        match = re.fullmatch(r"([a-z_.0-9]+)=([a-z]+)(?:@([1-9][0-9]*))?", spec)
        if match is None:
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT is {spec!r}. Give it like receiving.object_stored=exit@2, or "
                "leave it unset: it is for tests only."
            )
        point, fault, number = match.groups()
        if point not in POINTS:
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT names {point!r}, which is no failpoint. "
                "timba/failpoints.py lists them all."
            )
        if fault not in faults(point):
            raise ImproperlyConfigured(
                f"TIMBA_FAILPOINT names the fault {fault!r}; at {point} it can be "
                f"{', '.join(faults(point))}."
            )
        self._point, self._fault, self._pass = point, fault, int(number or 1)
        self._passes = itertools.count(1)

    def __call__(self, name: str) -> None:
        if name != self._point or next(self._passes) != self._pass:
            return
        if self._fault == "exit":
            os._exit(EXIT_CODE)
        raise POINTS[name][self._fault]
