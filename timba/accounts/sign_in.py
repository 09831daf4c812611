"""Checks a username and a password: one guarded way for programs, browsers and the admin pages.

Unknown, wrong and inactive look alike, in words and in time. django-axes counts the failures of
each username and address.
"""

from __future__ import annotations

import math
from typing import Any, cast

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_ip_address
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from timba.accounts.models import MAX_USERNAME, User
from timba.accounts.passwords import Line
from timba.errors import NotSignedIn, TooManyAttempts

_NOT_RIGHT = "The username or the password is not right."
# A turn lasts until a failure is noted, so that guesses that wait in line are counted too. Noting
# may wait for the database: nobody may wait in this line who is inside a transaction.
_line = Line()


class MemberBackend(ModelBackend):
    """Users whose client is active too; reads what each request asks about in one query."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.unscoped.with_state().filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return cast("User", user).may_sign_in


def check_credentials(request: HttpRequest, *, username: str, password: str) -> User:
    """Return the user whose credentials these are.

    Raises NotSignedIn when they are not right, TooManyAttempts after too many failures, and
    Unavailable while too many others are signing in.
    """
    if not _is_thinkable(username, password):
        raise NotSignedIn(_NOT_RIGHT)
    _refuse_locked(request, username)
    with _line.turn():
        _refuse_locked(request, username)  # others may have failed while this one waited
        user = authenticate(request, username=username, password=password)
    if user is None:
        raise NotSignedIn(_NOT_RIGHT)
    AxesProxyHandler.reset_attempts(ip_address=get_client_ip_address(request), username=username)
    return user


def _is_thinkable(username: str, password: str) -> bool:
    """Whether anyone could have these; texts that no column or hash takes are nobody's."""
    if not username.isprintable() or len(username) > MAX_USERNAME:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in password)


def _refuse_locked(request: HttpRequest, username: str) -> None:
    if not AxesProxyHandler.is_allowed(request, {"username": username}):
        raise TooManyAttempts(
            "There were too many attempts to sign in with this username: wait 15 minutes.",
            retry_after=_seconds_locked(request, username),
        )


def _seconds_locked(request: HttpRequest, username: str) -> int:
    attempts = AccessAttempt.objects.filter(
        username=username, ip_address=get_client_ip_address(request)
    )
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    left = last + settings.AXES_COOLOFF_TIME - timezone.now()
    return max(1, math.ceil(left.total_seconds()))
