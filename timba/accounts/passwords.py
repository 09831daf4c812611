"""Keeps passwords: which ones are good enough, and the costly hashing, a few at a time.

Hashing is costly by design: a flood of guesses must take neither the processor nor every thread of
the server from everyone else.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from timba.accounts.concurrency import ConcurrencyLimiter
from timba.accounts.models import User
from timba.accounts.rate_limit import Rate, hit
from timba.errors import Invalid
from timba.transactions import outside_transactions

# How much is hashed at once, and how many others may wait for that.
AT_ONCE: Final = max(1, (os.cpu_count() or 2) // 2)
WAITING: Final = 11
_CONFIRMATIONS: Final = Rate(scope="confirm", limit=10, window=timedelta(minutes=15))
# Whoever has a slot here only hashes: none of them waits for the database.
_hashing = ConcurrencyLimiter(at_once=AT_ONCE, waiting=WAITING)


def _a_turn_to_hash(user: User) -> AbstractContextManager[None]:
    # No address is known here: callers who are signed in are told apart by their client.
    others = "staff" if user.is_staff else "sign-up"
    return _hashing.slot(f"client {user.client_id}" if user.client_id else others)


@outside_transactions
def hash_password(password: str, *, user: User) -> str:
    """Return the hash to keep of a new password for `user`; raise Invalid for a weak one.

    Takes a good part of a second: it is called before the transaction begins.
    """
    try:
        validate_password(password, user)
    except ValidationError as refused:
        raise Invalid(fields={"password": refused.messages}) from refused
    with _a_turn_to_hash(user):
        return make_password(password)


@outside_transactions
def confirm_password(password: str | None, *, user: User) -> None:
    """Raise Invalid unless this is the password that `user` has now."""
    if password is None:
        raise Invalid(fields={"current_password": ["Give your current password too."]})
    hit(_CONFIRMATIONS, subject=str(user.pk))
    with _a_turn_to_hash(user):
        confirmed = check_password(password, user.password)
    if not confirmed:
        raise Invalid(fields={"current_password": ["This is not your current password."]})
