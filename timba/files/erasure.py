"""Holds back the erasure of objects while a backup copies them.

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

from django.db.models import Exists
from django.db.models.functions import Now

from timba.db.transactions import retry_on_deadlock
from timba.files.leases import from_now, heartbeat
from timba.files.models import ErasureHold

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
