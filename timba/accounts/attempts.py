"""Limits how often one caller may try something costly or guessable.

Each attempt takes one of a few slots in the shared cache, and a slot is free again when its time
is over. Taking a slot is one atomic step in every cache, so parallel attempts count too.
"""

from __future__ import annotations

import math
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from timba.errors import TooManyAttempts, Unavailable


def take_attempt(*, what: str, who: str, limit: int, window: timedelta) -> None:
    """Count an attempt at `what` by `who`; raise TooManyAttempts when `window` holds `limit`.

    Raises Unavailable while the cache is away.
    """
    now = timezone.now().timestamp()
    seconds = window.total_seconds()
    slots = [f"attempt:{what}:{who}:{number}" for number in range(limit)]
    try:
        if any(cache.add(slot, now + seconds, int(seconds)) for slot in slots):
            return
        free_at = min(cache.get_many(slots).values(), default=now)
    except Exception as away:
        # Without its count nothing may be tried: who guesses must not gain by an outage.
        raise Unavailable("This cannot be done just now. Try again in a moment.") from away
    raise TooManyAttempts(retry_after=max(1, math.ceil(free_at - now)))
