"""Writes: transactions, retries of those that a database rolled back, and changed fields.

PostgreSQL and MariaDB roll back one of two transactions that wait for each other (a deadlock), and
may roll back one that conflicts with another (a serialization failure). Neither is a fault of the
caller: the whole service call is run again, a few times, from its start. Inside a larger
transaction only the outermost call can do so.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Model

from timba.db.outages import is_serialization_failure

_PAUSES: Final = (0.02, 0.1, 0.4)

P = ParamSpec("P")
R = TypeVar("R")

_deferred: Final[ContextVar[ExitStack | None]] = ContextVar("deferred_commits", default=None)


@contextmanager
def write_transaction() -> Iterator[None]:
    """Open the transaction of a service; inside `deferred_commit` its commit waits."""
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        yield
        deferred = _deferred.get()
        if deferred is not None:
            deferred.push(stack.pop_all())


@contextmanager
def deferred_commit() -> Iterator[None]:
    """Put the commits of all `write_transaction`s inside off to the end of this block.

    What comes before a service's transaction, as hashing a password, so stays outside of it, and
    what is written after the service returned is committed with the service's change, or neither.
    """
    with ExitStack() as stack:
        token = _deferred.set(stack)
        try:
            yield
        finally:
            _deferred.reset(token)


def outside_transactions(work: Callable[P, R]) -> Callable[P, R]:
    """Let `work` refuse to run inside a transaction: see `refuse_inside_transaction`."""

    @wraps(work)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_inside_transaction(work.__qualname__)
        return work(*args, **kwargs)

    return wrapped


def refuse_inside_transaction(work: str) -> None:
    """Raise RuntimeError inside a transaction, where `TIMBA_CHECK_TRANSACTIONS` is set."""
    if settings.TIMBA_CHECK_TRANSACTIONS and _in_transaction():
        raise RuntimeError(
            f"{work} may take long, and was called inside a transaction: "
            "call it before the transaction, or on its commit."
        )


def _in_transaction() -> bool:
    """Whether there is a transaction, but for the one in which Django's TestCase wraps a test."""
    blocks: list[Any] = connection.atomic_blocks
    return any(not block._from_testcase for block in blocks)  # noqa: SLF001 - as `durable` does


def retry_on_deadlock(write: Callable[P, R]) -> Callable[P, R]:
    """Call `write` again, after a short and uneven pause, while it loses to another writer."""

    @wraps(write)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return write(*args, **kwargs)
        for pause in _PAUSES:
            try:
                return write(*args, **kwargs)
            except OperationalError as failure:
                if not is_serialization_failure(failure):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads writers, no secret
        return write(*args, **kwargs)

    return wrapped


def yield_to_writers(seconds: float) -> None:
    """Wait as long as a series of writes has just held the database, where one writes at a time.

    Whoever waits for SQLite asks again and again: without a pause between two transactions it
    hardly ever asks at the right moment.
    """
    if connection.vendor == "sqlite":
        time.sleep(seconds)


def apply_changes(row: Model, changes: Mapping[str, Any]) -> bool:
    """Set these fields; return whether any of them now holds another value."""
    # By column, so that a related row is not fetched to be compared.
    columns = [row._meta.get_field(name).attname for name in changes]  # type: ignore[union-attr]
    before = [getattr(row, column) for column in columns]
    for name, value in changes.items():
        setattr(row, name, value)
    return before != [getattr(row, column) for column in columns]
