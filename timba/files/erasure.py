"""Begins the erasure of deleted files, and holds back all erasure while a backup copies objects.

A backup copies the objects that its snapshot of the rows names, up to hours after it has read the
rows. Meanwhile files are deleted and processed again as usual; only the erasure of their bytes
waits. A hold expires unless it is renewed, so that a killed backup stops nothing for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db.models import Exists
from django.db.models.functions import Now
from django.utils import timezone

from timba.db.transactions import retry_on_deadlock
from timba.files.leases import from_now, heartbeat
from timba.files.models import ErasureHold, File, FileQuerySet

DURATION: Final = timedelta(minutes=5)
_RENEWAL_SECONDS: Final = 30


def erasure_is_held() -> Exists:
    """Return the condition that a hold is in force, for the query that selects what to erase.

    As a part of that query it sees every hold that is older than what is selected.
    """
    return Exists(ErasureHold.objects.filter(expires_at__gt=Now()))


@contextmanager
def hold_erasure() -> Iterator[None]:
    """Hold back the erasure of objects during this block."""
    hold = _begin()
    try:
        with heartbeat(partial(_renew, hold), seconds=_RENEWAL_SECONDS):
            yield
    finally:
        _end(hold)


@retry_on_deadlock
def _begin() -> ErasureHold:
    ErasureHold.objects.filter(expires_at__lt=Now()).delete()
    return ErasureHold.objects.create(expires_at=from_now(DURATION))


@retry_on_deadlock
def _renew(hold: ErasureHold) -> None:
    ErasureHold.objects.filter(pk=hold.pk).update(expires_at=from_now(DURATION))


@retry_on_deadlock
def _end(hold: ErasureHold) -> None:
    ErasureHold.objects.filter(pk=hold.pk).delete()


def expired_files() -> FileQuerySet:
    """Return the deleted files that are due to be erased, unless a backup holds erasure."""
    retention = timedelta(days=settings.TIMBA_TRASH_DAYS)
    due = timezone.now() - retention
    files: FileQuerySet = File.unscoped.filter(~erasure_is_held(), deleted_at__lt=due)
    return files


@retry_on_deadlock
def begin_erasure(file: File) -> bool:
    """Mark a file that is due as being erased; return False where it was restored meanwhile.

    Committed before its first object is erased: a restore is refused from here on.
    """
    due = expired_files().filter(pk=file.pk)
    due.filter(erasing_since__isnull=True).update(erasing_since=timezone.now())
    return due.filter(erasing_since__isnull=False).exists()
