"""Transactions of services: retries after deadlocks, deferred commits, and changed fields.

PostgreSQL and MariaDB roll back one of two transactions that wait for each other (a deadlock), and
may roll back one that conflicts with another (a serialization failure). The whole service call is
then repeated, a few times, from its start. A nested call cannot be repeated; the outermost is.
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

from timba.db.errors import is_serialization_failure

_PAUSES: Final = (0.02, 0.1, 0.4)  # seconds before each retry

P = ParamSpec("P")
R = TypeVar("R")

_deferred: Final[ContextVar[ExitStack | None]] = ContextVar("deferred_commits", default=None)


@contextmanager
def write_transaction() -> Iterator[None]:
    """Open the transaction of a service; `deferred_commit` postpones its commit."""
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        yield
        deferred = _deferred.get()
        if deferred is not None:
            deferred.push(stack.pop_all())


@contextmanager
def deferred_commit() -> Iterator[None]:
    """Postpone the commits of all `write_transaction` blocks inside to the end of this block.

    Slow work before a service's transaction, such as hashing a password, stays outside of it, and
    rows that the caller writes after the service has returned are committed together with its
    changes, or not at all.
    """
    with ExitStack() as stack:
        token = _deferred.set(stack)
        try:
            yield
        finally:
            _deferred.reset(token)


def is_commit_deferred() -> bool:
    """Return whether this is inside of a `deferred_commit` block."""
    return _deferred.get() is not None


def outside_transactions(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate slow functions that must not run inside a transaction."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_inside_transaction(function.__qualname__)
        return function(*args, **kwargs)

    return wrapped


def refuse_inside_transaction(work: str) -> None:
    """Raise RuntimeError inside a transaction if `TIMBA_CHECK_TRANSACTIONS` is set."""
    if settings.TIMBA_CHECK_TRANSACTIONS and _in_transaction():
        raise RuntimeError(
            f"{work} may take long, and was called inside a transaction: "
            "call it before the transaction, or on its commit."
        )


def _in_transaction() -> bool:
    """Return whether a transaction is open, not counting the one that TestCase opens for a test."""
    blocks: list[Any] = connection.atomic_blocks
    return any(not block._from_testcase for block in blocks)  # noqa: SLF001 - as `atomic(durable=True)` does


def retry_on_deadlock(write: Callable[P, R]) -> Callable[P, R]:
    """Retry a transaction that lost a deadlock or a serialization conflict.

    It waits before each retry, with jitter, and raises the last error after the third.
    """

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
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        return write(*args, **kwargs)

    return wrapped


def yield_to_writers(seconds: float) -> None:
    """Sleep between the transactions of a series of writes on SQLite; elsewhere, do nothing.

    SQLite's waiting writers poll for the lock: without a pause between two transactions they
    hardly ever get it. `seconds` is how long the last transaction took.
    """
    if connection.vendor == "sqlite":
        time.sleep(seconds)


def apply_changes(row: Model, changes: Mapping[str, Any]) -> bool:
    """Set these fields; return whether any of their values changed."""
    # Compare columns (`client_id`), so that related rows are not fetched.
    columns = [row._meta.get_field(name).attname for name in changes]  # type: ignore[union-attr]
    before = [getattr(row, column) for column in columns]
    for name, value in changes.items():
        setattr(row, name, value)
    return before != [getattr(row, column) for column in columns]
