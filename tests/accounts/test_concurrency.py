"""One group of callers never has more than half of the places, nor more than it leaves free."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from timba.accounts.concurrency import ConcurrencyLimiter
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
