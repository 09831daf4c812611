"""Lets one relay send at a time: a lease in the database, by the database's clock.

Two relays that send at once could put a key's events in the wrong order. A relay that was paused
for longer than its lease may wake and repeat what another has sent meanwhile, which consumers
drop; its token keeps it from marking anything as published.
"""

from __future__ import annotations

import math
import secrets
import time
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from timba.events.models import RelayLease

_SHARD: Final = 0
_LEASE: Final = timedelta(seconds=15)
# An idle relay writes this often, not every time it looks for events.
_FRESH_SECONDS: Final = 5


class Lease:
    """One relay's claim to be the one that sends."""

    def __init__(self) -> None:
        self._token = secrets.randbits(63)
        self._renewed_at = -math.inf

    def hold(self) -> bool:
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

    def give_back(self) -> None:
        """Let another relay send at once."""
        RelayLease.objects.filter(shard=_SHARD, token=self._token).update(expires_at=None)
        self._renewed_at = -math.inf
