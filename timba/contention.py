"""Does a write again that a database gave up for another's sake, and lets others write.

PostgreSQL and MariaDB end one of two transactions that wait for each other, and may end one that
cannot be put in order. That is no failure of either: the whole service call is simply done again,
a few times, from its start. Inside a larger transaction only the outermost call can do so.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connection

from timba.outages import is_contention

P = ParamSpec("P")
R = TypeVar("R")

_PAUSES: Final = (0.02, 0.1, 0.4)


def again_on_contention(write: Callable[P, R]) -> Callable[P, R]:
    """Call `write` again, after a short and uneven pause, while it loses to another writer."""

    @wraps(write)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return write(*args, **kwargs)
        for pause in _PAUSES:
            try:
                return write(*args, **kwargs)
            except OperationalError as failure:
                if not is_contention(failure):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads writers, no secret
        return write(*args, **kwargs)

    return wrapped


def let_others_write(seconds: float) -> None:
    """Wait as long as a series of writes has just held the database, where one writes at a time.

    Whoever waits for SQLite asks again and again: without a pause between two transactions it
    hardly ever asks at the right moment.
    """
    if connection.vendor == "sqlite":
        time.sleep(seconds)
