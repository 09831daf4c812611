"""Keeps slow work out of transactions, and lets an answer be committed with what it tells of.

A transaction that waits for a store, a password's hash or a server makes every other writer wait
along: on SQLite there is one writer at a time. What is slow therefore refuses to run inside one, in
tests and with `TIMBA_DEBUG`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection, transaction

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
