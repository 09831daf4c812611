"""Limits how often one caller may try something costly or guessable.

The times of a caller's latest hits are kept in one row of a table of their own, where nothing
pushes them out before their time: a cache forgets what it has no room for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from timba.accounts.models import RateLimit
from timba.contention import again_on_contention
from timba.errors import TooManyAttempts


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most `limit` hits of each caller in any period as long as `window`."""

    scope: str
    limit: int
    window: timedelta
    sentence: str | None = None


def check(rate: Rate, *, subject: str) -> None:
    """Raise TooManyAttempts when `subject` has no hit left; count nothing."""
    times = RateLimit.objects.filter(key=_key(rate, subject)).values_list("times", flat=True)
    _latest(rate, times.first() or [])


@again_on_contention
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
