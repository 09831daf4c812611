"""A caller has so many attempts in a while, and then has to wait exactly as long as is said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine

from timba.accounts.attempts import take_attempt
from timba.errors import TooManyAttempts

HOUR = timedelta(hours=1)


def test_a_slot_is_free_again_when_its_time_is_over() -> None:
    with time_machine.travel("2026-11-21 10:00:00+00:00", tick=False) as clock:
        take_attempt(what="t", who="a", limit=2, window=HOUR)
        clock.shift(600)
        take_attempt(what="t", who="a", limit=2, window=HOUR)
        with pytest.raises(TooManyAttempts) as refused:
            take_attempt(what="t", who="a", limit=2, window=HOUR)
        assert refused.value.retry_after == 3000  # an hour after the first, 10 minutes of it gone
        clock.shift(3001)
        take_attempt(what="t", who="a", limit=2, window=HOUR)
        with pytest.raises(TooManyAttempts) as refused:
            take_attempt(what="t", who="a", limit=2, window=HOUR)
        assert refused.value.retry_after == 599  # the second slot's hour


def test_callers_and_matters_are_counted_apart() -> None:
    take_attempt(what="t", who="a", limit=1, window=HOUR)
    take_attempt(what="t", who="b", limit=1, window=HOUR)
    take_attempt(what="u", who="a", limit=1, window=HOUR)
    with pytest.raises(TooManyAttempts):
        take_attempt(what="t", who="a", limit=1, window=HOUR)


def test_parallel_attempts_count_too() -> None:
    def attempt(_: int) -> bool:
        try:
            take_attempt(what="t", who="a", limit=5, window=HOUR)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 5
