"""Checks a username and a password: one guarded way for programs, browsers and the admin pages.

Unknown, wrong and inactive look alike, in words and in time. django-axes counts the failures of
each username and address; the failures of an address alone are counted too, so that nobody walks
through usernames. An IPv6 address counts as its network.
"""

from __future__ import annotations

import math
import os
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
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from timba.accounts.models import MAX_USERNAME, User
from timba.accounts.rate_limit import ConcurrencyLimiter, Rate, check_rate, hit
from timba.db.text import is_storable
from timba.db.transactions import outside_transactions
from timba.errors import Invalid, NotSignedIn, TooManyAttempts

# How much is hashed at once, and how many others may wait for that.
AT_ONCE: Final = max(1, (os.cpu_count() or 2) // 2)
WAITING: Final = 11
_CONFIRMATIONS: Final = Rate(scope="confirm", limit=10, window=timedelta(minutes=15))
# Whoever has a slot here only hashes: none of them waits for the database.
_hashing = ConcurrencyLimiter(at_once=AT_ONCE, waiting=WAITING)

_NOT_RIGHT = "The username or the password is not right."
_FAILURES_OF_AN_ADDRESS: Final = Rate(
    scope="sign-in",
    limit=50,
    window=settings.AXES_COOLOFF_TIME,
    sentence="There were too many attempts to sign in from this address: wait 15 minutes.",
)
# A slot is held until a failure is recorded, so that guesses that wait for one are counted too.
# Recording may wait for the database: nobody may wait for a slot who is inside a transaction.
_limiter = ConcurrencyLimiter(at_once=AT_ONCE, waiting=WAITING)


class MemberBackend(ModelBackend):
    """Users whose client is active too; reads what each request asks about in one query."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.unscoped.get_queryset().with_client_and_role().filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return cast("User", user).can_sign_in


@outside_transactions
def check_credentials(request: HttpRequest, *, username: str, password: str) -> User:
    """Return the user whose credentials these are.

    Raises NotSignedIn when they are not right, TooManyAttempts after too many failures, and
    Unavailable while too many others are signing in.
    """
    username = username.strip()  # no username begins or ends with a blank
    if not _is_well_formed(username, password):
        raise NotSignedIn(_NOT_RIGHT)
    address = get_client_ip_address(request)
    _refuse_locked(request, username, address)
    with _limiter.slot(address):
        _refuse_locked(request, username, address)  # others may have failed while this one waited
        user = authenticate(request, username=username, password=password)
        if user is None:
            hit(_FAILURES_OF_AN_ADDRESS, subject=address)
            raise NotSignedIn(_NOT_RIGHT)
    AxesProxyHandler.reset_attempts(ip_address=address, username=username)
    return user


def unlock_username(username: str) -> None:
    """Forget the failures of a username, from wherever they came."""
    AxesProxyHandler.reset_attempts(username=username)


def _is_well_formed(username: str, password: str) -> bool:
    """Whether anyone could have these; texts that no column or hash takes are nobody's."""
    is_username = username.isprintable() and len(username) <= MAX_USERNAME
    return is_username and is_storable(password)


def _refuse_locked(request: HttpRequest, username: str, address: str) -> None:
    check_rate(_FAILURES_OF_AN_ADDRESS, subject=address)
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
