"""Leases with fencing tokens: they let one worker at a time process a file, and no lost one write.

A claim takes a lease, which a thread of the worker renews for as long as its process lives. Every
claim raises the file's fencing token, and a run writes only where the token is still its own, so a
worker that was paused beyond its lease changes nothing. All times are the database's.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from timba.db.outages import drop_connection
from timba.db.transactions import retry_on_deadlock
from timba.files.models import File, FileQuerySet

MAX_ATTEMPTS: Final = 3
_RENEWALS_PER_LEASE: Final = 6
_log = structlog.get_logger(__name__)


def waiting_files() -> FileQuerySet:
    """Return the files that can be claimed."""
    free = models.Q(lease_until__isnull=True) | models.Q(lease_until__lt=Now())
    return pending_files().filter(free, attempts__lt=MAX_ATTEMPTS)


def lost_files() -> FileQuerySet:
    """Return the files whose last attempt ended without a result."""
    return pending_files().filter(lease_until__lt=Now(), attempts__gte=MAX_ATTEMPTS)


def pending_files() -> FileQuerySet:
    """Return the files without an outcome, claimed or not."""
    files: FileQuerySet = File.unscoped.filter(status=File.Status.PENDING, deleted_at__isnull=True)
    return files


@retry_on_deadlock
def claim(file_id: uuid.UUID) -> File | None:
    """Claim a waiting file with a new fencing token; return None where it cannot be claimed.

    The attempt is counted before any work is done, so that a file that kills its workers is not
    tried for ever.
    """
    waiting = waiting_files().filter(pk=file_id)
    token = waiting.values_list("fencing_token", flat=True).first()
    if token is None:
        return None
    claimed = waiting.filter(fencing_token=token).update(
        fencing_token=token + 1, attempts=models.F("attempts") + 1, lease_until=lease_end()
    )
    if not claimed:
        return None
    return pending_files().filter(pk=file_id, fencing_token=token + 1).first()


def lease_end() -> Any:
    """Return the database expression for the end of a lease that begins now."""
    return from_now(timedelta(seconds=settings.TIMBA_LEASE_SECONDS))


def from_now(delay: timedelta) -> Any:
    """Return the database expression for a moment in the future."""
    return models.ExpressionWrapper(Now() + delay, output_field=models.DateTimeField())


def renewal_interval() -> float:
    """Return how many seconds pass between two renewals of a lease."""
    seconds: int = settings.TIMBA_LEASE_SECONDS
    return seconds / _RENEWALS_PER_LEASE


@contextlib.contextmanager
def heartbeat(renew: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call `renew` every `seconds` in a thread until the block ends; no call outlives the block."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(renew, seconds, ended), name="heartbeat")
    thread.daemon = True
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(renew: Callable[[], None], seconds: float, ended: threading.Event) -> None:
    while not ended.wait(seconds):
        try:
            renew()
        except Exception:  # noqa: BLE001 - the database is down or busy: the next call may succeed
            _log.warning("lease_renewal_failed", exc_info=True)
        finally:
            drop_connection()
