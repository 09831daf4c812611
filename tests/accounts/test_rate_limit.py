"""Rate limits: a subject has so many hits in a window, and then waits exactly `retry_after`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection

from timba.accounts.models import RateLimit
from timba.accounts.rate_limit import Rate, check_rate, hit
from timba.errors import TooManyAttempts

pytestmark = pytest.mark.django_db


def rate(limit: int, scope: str = "t") -> Rate:
    return Rate(scope=scope, limit=limit, window=timedelta(hours=1))


def test_a_hit_expires_after_the_window() -> None:
    with time_machine.travel("2026-11-21 10:00:00+00:00", tick=False) as clock:
        hit(rate(2), subject="a")
        clock.shift(600)
        hit(rate(2), subject="a")
        with pytest.raises(TooManyAttempts) as refused:
            hit(rate(2), subject="a")
        assert refused.value.retry_after == 3000  # an hour after the first, 10 minutes of it gone
        clock.shift(3001)
        hit(rate(2), subject="a")
        with pytest.raises(TooManyAttempts) as refused:
            hit(rate(2), subject="a")
        assert refused.value.retry_after == 599  # the second slot's hour


def test_subjects_and_scopes_are_counted_apart() -> None:
    hit(rate(1), subject="a")
    hit(rate(1), subject="b")
    hit(rate(1, "u"), subject="a")
    with pytest.raises(TooManyAttempts):
        hit(rate(1), subject="a")


def test_checking_counts_nothing() -> None:
    for _ in range(3):
        check_rate(rate(1), subject="a")
    hit(rate(1), subject="a")
    with pytest.raises(TooManyAttempts):
        check_rate(rate(1), subject="a")


def test_the_cache_cannot_evict_hits() -> None:
    hit(rate(1), subject="a")
    for number in range(400):
        cache.set(f"{number}", number)
    with pytest.raises(TooManyAttempts):
        hit(rate(1), subject="a")


@pytest.mark.django_db(transaction=True)
def test_parallel_attempts_count_too() -> None:
    def attempt(_: int) -> bool:
        try:
            hit(rate(5), subject="a")
        except TooManyAttempts:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 5
    assert len(RateLimit.objects.get().times) == 5
