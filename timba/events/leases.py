"""Leases of processes of which one at a time may work: another takes over when a lease expires."""

from __future__ import annotations

import math
import secrets
import time
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from timba.events.models import ProcessLease

_DURATION: Final = timedelta(seconds=15)
# An idle process renews its lease this often, not with every poll.
RENEWAL_SECONDS: Final = 5


class Lease:
    """The right of one process to do the work of `name`, until it expires."""

    def __init__(self, name: ProcessLease.Name) -> None:
        self._name = name
        self._token = secrets.randbits(63)
        self._renewed_at = -math.inf

    def acquire(self) -> bool:
        """Acquire the lease, or renew it if that is due; return whether this process holds it."""
        return time.monotonic() - self._renewed_at < RENEWAL_SECONDS or self.renew()

    def renew(self) -> bool:
        """Acquire or extend the lease; return False while another process holds it.

        Inside a transaction the row stays locked, so no other process can acquire the lease before
        the commit.
        """
        free_or_held = Q(token=self._token) | Q(expires_at=None) | Q(expires_at__lt=Now())
        values = {"token": self._token, "expires_at": Now() + _DURATION}
        rows = ProcessLease.objects.filter(free_or_held, name=self._name)
        renewed = bool(rows.update(**values))
        if not renewed:
            _, renewed = ProcessLease.objects.get_or_create(name=self._name, defaults=values)
        self._renewed_at = time.monotonic() if renewed else -math.inf
        return renewed

    def release(self) -> None:
        """Release the lease, so that another process can acquire it at once."""
        ProcessLease.objects.filter(name=self._name, token=self._token).update(expires_at=None)
        self._renewed_at = -math.inf


def is_held(name: ProcessLease.Name) -> bool:
    """Return whether some process holds the lease."""
    return ProcessLease.objects.filter(name=name, expires_at__gt=Now()).exists()
