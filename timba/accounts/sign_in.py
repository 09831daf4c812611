"""Checks a username and a password: one guarded way for programs, browsers and the admin pages.

Unknown, wrong and inactive look alike, in words and in time. django-axes counts the failures of
each username and address. Hashing is costly by design, so only a few passwords are checked at
once: a flood of guesses must not take the processor from everyone else.
"""

from __future__ import annotations

import os
from threading import BoundedSemaphore
from typing import Any, cast

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from timba.accounts.models import User
from timba.errors import NotSignedIn, TooManyAttempts, Unavailable

_hashing = BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))
_PATIENCE_SECONDS = 2


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
    credentials = {"username": username}
    if not AxesProxyHandler.is_allowed(request, credentials):
        raise TooManyAttempts(
            "There were too many attempts to sign in with this username. Wait a quarter of an hour.",
            retry_after=int(settings.AXES_COOLOFF_TIME.total_seconds()),
        )
    if not _hashing.acquire(timeout=_PATIENCE_SECONDS):
        raise Unavailable("Many people are signing in just now. Try again in a moment.")
    try:
        user = authenticate(request, username=username, password=password)
    finally:
        _hashing.release()
    if user is None:
        raise NotSignedIn("The username or the password is not right.")
    return cast("User", user)
