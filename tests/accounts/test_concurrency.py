"""The concurrency limiter: no group takes more than half of the places or than it leaves free."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from timba.accounts import rate_limit
from timba.accounts.rate_limit import ConcurrencyLimiter
from timba.errors import Unavailable


@pytest.mark.parametrize(
    ("waiting", "groups", "admitted"),
    [
        (11, "a" * 12, {"a": 6}),
        (12, "a" * 13, {"a": 6}),
        (11, "a" * 12 + "b" * 12 + "c" * 12 + "d" * 12, {"a": 6, "b": 3, "c": 2, "d": 1}),
        (0, "ab", {"a": 1, "b": 0}),
    ],
)
def test_a_group_takes_no_more_than_it_leaves_free(
    waiting: int, groups: str, admitted: dict[str, int]
) -> None:
    limiter = ConcurrencyLimiter(at_once=1, waiting=waiting)
    found = dict.fromkeys(admitted, 0)
    with ExitStack() as places:
        for group in groups:
            try:
                places.enter_context(limiter._place(group))
            except Unavailable:
                continue
            found[group] += 1
    assert found == admitted
    assert not limiter._taken


def wait_for(limiter: ConcurrencyLimiter, waiting: int) -> None:
    """Return once so many wait."""
    while len(limiter._waiting) < waiting:
        threading.Event().wait(0.001)


def test_the_group_with_the_fewest_places_is_next() -> None:
    limiter, order = ConcurrencyLimiter(at_once=1, waiting=11), []

    def run(group: str) -> None:
        with limiter.slot(group):
            order.append(group)

    with ThreadPoolExecutor(6) as pool, limiter.slot("a"):
        for number, group in enumerate("aaabbc"):
            pool.submit(run, group)
            wait_for(limiter, number + 1)
    assert "".join(order) == "cbbaaa"


def test_a_call_that_waits_too_long_fails_and_frees_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "WAIT_SECONDS", 0.01)
    limiter = ConcurrencyLimiter(at_once=1, waiting=11)
    with limiter.slot("a"), pytest.raises(Unavailable):
        limiter.slot("b").__enter__()
    with limiter.slot("b"):
        assert not limiter._waiting
    assert (limiter._idle, limiter._taken.total()) == (1, 0)
