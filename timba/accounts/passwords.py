"""Keeps passwords: which ones are good enough, and the costly hashing, a few at a time.

Hashing is costly by design: a flood of guesses must take neither the processor nor every thread of
the server from everyone else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from timba.accounts.attempts import take_attempt
from timba.accounts.models import User
from timba.errors import Invalid, Unavailable

_AT_ONCE = max(1, (os.cpu_count() or 2) // 2)
_PATIENCE_SECONDS = 10
_hashing = BoundedSemaphore(_AT_ONCE)
_in_line = BoundedSemaphore(_AT_ONCE + 11)


@contextmanager
def a_turn_to_hash() -> Iterator[None]:
    """Wait for a turn; raise Unavailable when too many others are waiting or it takes long."""
    with _held(_in_line, seconds=0), _held(_hashing, seconds=_PATIENCE_SECONDS):
        yield


@contextmanager
def _held(places: BoundedSemaphore, *, seconds: float) -> Iterator[None]:
    if not places.acquire(timeout=seconds):
        raise Unavailable("Many people are signing in just now. Try again in a moment.")
    try:
        yield
    finally:
        places.release()


def hash_password(password: str, *, user: User) -> str:
    """Return the hash to keep of a new password for `user`; raise Invalid for a weak one.

    Takes a good part of a second: call it before the transaction begins.
    """
    try:
        validate_password(password, user)
    except ValidationError as refused:
        raise Invalid(fields={"password": refused.messages}) from refused
    with a_turn_to_hash():
        return make_password(password)


def confirm_password(password: str | None, *, user: User) -> None:
    """Raise Invalid unless this is the password that `user` has now."""
    if password is None:
        raise Invalid(fields={"current_password": ["Give your current password too."]})
    take_attempt(what="confirm", who=str(user.pk), limit=10, window=timedelta(minutes=15))
    with a_turn_to_hash():
        confirmed = user.check_password(password)
    if not confirmed:
        raise Invalid(fields={"current_password": ["This is not your current password."]})
