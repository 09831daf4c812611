"""Does a write again that a database gave up for another's sake.

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

P = ParamSpec("P")
R = TypeVar("R")

_PAUSES: Final = (0.02, 0.1, 0.4)
# Serialization failure and deadlock: https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES: Final = frozenset({"40001", "40P01"})
# ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK of MariaDB and MySQL.
_ERROR_NUMBERS: Final = frozenset({1205, 1213})


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
                if not lost_to_another(failure):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads writers, no secret
        return write(*args, **kwargs)

    return wrapped


def lost_to_another(failure: OperationalError) -> bool:
    """Whether the database ended this transaction so that another one could go on."""
    if getattr(failure.__cause__, "sqlstate", None) in _SQLSTATES:
        return True
    return bool(failure.args) and failure.args[0] in _ERROR_NUMBERS
