"""Keeps passwords: which ones are good enough, and the costly hashing, a few at a time.

Hashing is costly by design: a flood of guesses must take neither the processor nor every thread of
the server from everyone else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from threading import BoundedSemaphore

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection

from timba.accounts.attempts import take_attempt
from timba.accounts.models import User
from timba.errors import Invalid, Unavailable

_AT_ONCE = max(1, (os.cpu_count() or 2) // 2)
_PATIENCE_SECONDS = 10


class Line:
    """Lets in a few at a time; only so many others may wait, and not for long."""

    def __init__(self, *, at_once: int = _AT_ONCE, waiting: int = 11) -> None:
        self._turns = BoundedSemaphore(at_once)
        self._places = BoundedSemaphore(at_once + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn; raise Unavailable when too many others are waiting or it takes long."""
        with _held(self._places, seconds=0), _held(self._turns, seconds=_PATIENCE_SECONDS):
            yield


# Whoever has a turn in this line only hashes: none of them waits for the database.
_hashing = Line()


@contextmanager
def _held(places: BoundedSemaphore, *, seconds: float) -> Iterator[None]:
    if not places.acquire(timeout=seconds):
        raise Unavailable("Many people are signing in just now. Try again in a moment.")
    try:
        yield
    finally:
        places.release()


def _a_turn_to_hash() -> AbstractContextManager[None]:
    """Wait for a turn, but never inside a transaction: other writers would wait along."""
    return nullcontext() if connection.in_atomic_block else _hashing.turn()


def hash_password(password: str, *, user: User) -> str:
    """Return the hash to keep of a new password for `user`; raise Invalid for a weak one.

    Takes a good part of a second: call it before the transaction begins.
    """
    try:
        validate_password(password, user)
    except ValidationError as refused:
        raise Invalid(fields={"password": refused.messages}) from refused
    with _a_turn_to_hash():
        return make_password(password)


def confirm_password(password: str | None, *, user: User) -> None:
    """Raise Invalid unless this is the password that `user` has now."""
    if password is None:
        raise Invalid(fields={"current_password": ["Give your current password too."]})
    take_attempt(what="confirm", who=str(user.pk), limit=10, window=timedelta(minutes=15))
    with _a_turn_to_hash():
        confirmed = check_password(password, user.password)
    if not confirmed:
        raise Invalid(fields={"current_password": ["This is not your current password."]})
