"""Password authentication for the API, the pages and the admin site, with brute-force protection.

Unknown usernames, wrong passwords and inactive users get the same message in the same time.
django-axes counts the failures of each pair of username and address; the failures of an address
alone are counted too, against guessing usernames. An IPv6 address counts as its /64 network.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final, cast

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_ip_address
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, Max
from django.http import HttpRequest
from django.utils import timezone

from timba.accounts.models import MAX_USERNAME, User
from timba.accounts.rate_limit import ConcurrencyLimiter, Rate, check_rate, hit
from timba.db.compiled_queries import CompiledRows
from timba.db.text import is_storable
from timba.db.transactions import outside_transactions
from timba.errors import DomainError, Invalid, NotSignedIn, TooManyAttempts, Unavailable
from timba.metrics import SIGN_IN_REFUSALS

# How many passwords are hashed concurrently, and how many calls may wait for that.
AT_ONCE: Final = max(1, (os.cpu_count() or 2) // 2)
WAITING: Final = 11
_CONFIRMATIONS: Final = Rate(scope="confirm", limit=10, window=timedelta(minutes=15))
# A slot is held only while hashing, never while waiting for the database.
_hash_limiter = ConcurrencyLimiter(at_once=AT_ONCE, waiting=WAITING)

_users_by_id = CompiledRows[User](
    lambda pk: User.unscoped.get_queryset().with_client_and_role().filter(pk=pk), BigIntegerField()
)
_WRONG_CREDENTIALS = "The username or the password is not right."
_FAILURES_BY_ADDRESS: Final = Rate(
    scope="sign-in",
    limit=50,
    window=settings.AXES_COOLOFF_TIME,
    sentence="There were too many attempts to sign in from this address: wait 15 minutes.",
)
# A slot is held until a failure is recorded, so that waiting attempts see it. Recording may wait
# for the database; a caller that waited for a slot inside a transaction could deadlock with it.
_sign_in_limiter = ConcurrencyLimiter(at_once=AT_ONCE, waiting=WAITING)


# The label of the metric.
_REFUSAL_REASONS: Final[Mapping[type[DomainError], str]] = {
    NotSignedIn: "credentials",
    TooManyAttempts: "locked",
    Unavailable: "busy",
}


class MemberBackend(ModelBackend):
    """Rejects users of suspended clients; fetches client, subscription and role in one query."""

    def get_user(self, user_id: Any) -> User | None:
        users = _users_by_id.get(user_id)
        return users[0] if users and self.user_can_authenticate(users[0]) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return cast("User", user).can_sign_in


@outside_transactions
def check_credentials(request: HttpRequest, *, username: str, password: str) -> User:
    """Return the user with these credentials.

    Raises NotSignedIn if they are wrong, TooManyAttempts after too many failures, and Unavailable
    while too many others are signing in.
    """
    try:
        return _check_credentials(request, username=username.strip(), password=password)
    except (NotSignedIn, TooManyAttempts, Unavailable) as error:
        SIGN_IN_REFUSALS.labels(_REFUSAL_REASONS[type(error)]).inc()
        raise


def _check_credentials(request: HttpRequest, *, username: str, password: str) -> User:
    # `check_username` allows no blanks around a username.
    if not _is_well_formed(username, password):
        raise NotSignedIn(_WRONG_CREDENTIALS)
    address = get_client_ip_address(request)
    _check_not_locked(request, username, address)
    with _sign_in_limiter.slot(address):
        _check_not_locked(request, username, address)  # others may have failed during the wait
        user = authenticate(request, username=username, password=password)
        if user is None:
            hit(_FAILURES_BY_ADDRESS, subject=address)
            raise NotSignedIn(_WRONG_CREDENTIALS)
    AxesProxyHandler.reset_attempts(ip_address=address, username=username)
    return user


def unlock_username(username: str) -> None:
    """Forget the failed attempts of a username from all addresses."""
    AxesProxyHandler.reset_attempts(username=username)


def _is_well_formed(username: str, password: str) -> bool:
    """Return whether an account could have these; others cannot be stored or hashed."""
    is_username = username.isprintable() and len(username) <= MAX_USERNAME
    return is_username and is_storable(password)


def _check_not_locked(request: HttpRequest, username: str, address: str) -> None:
    check_rate(_FAILURES_BY_ADDRESS, subject=address)
    if not AxesProxyHandler.is_allowed(request, {"username": username}):
        raise TooManyAttempts(
            "There were too many attempts to sign in with this username: wait 15 minutes.",
            retry_after=_seconds_locked(username, address),
        )


def _seconds_locked(username: str, address: str) -> int:
    attempts = AccessAttempt.objects.filter(username=username, ip_address=address)
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    left = last + settings.AXES_COOLOFF_TIME - timezone.now()
    return max(1, math.ceil(left.total_seconds()))


def _hash_slot(user: User) -> AbstractContextManager[None]:
    # The address is not known here, so callers are grouped by their client.
    others = "staff" if user.is_staff else "sign-up"
    return _hash_limiter.slot(f"client {user.client_id}" if user.client_id else others)


@outside_transactions
def hash_password(password: str, *, user: User) -> str:
    """Return the hash of a new password for `user`; raise Invalid for a weak password.

    It takes a large part of a second, so callers hash before they open a transaction.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(fields={"password": error.messages}) from error
    with _hash_slot(user):
        return make_password(password)


@outside_transactions
def confirm_password(password: str | None, *, user: User) -> None:
    """Raise Invalid unless this is the current password of `user`."""
    if password is None:
        raise Invalid(fields={"current_password": ["Give your current password too."]})
    hit(_CONFIRMATIONS, subject=str(user.pk))
    with _hash_slot(user):
        confirmed = check_password(password, user.password)
    if not confirmed:
        raise Invalid(fields={"current_password": ["This is not your current password."]})
