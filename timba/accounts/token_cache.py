"""What a process remembers of access tokens: verified claims, and their users for one second.

Verifying a signature and reading a user cost more than most responses. A change of a user, role or
client, or the end of a sign-in, takes effect within `USER_SECONDS` in other processes; the process
that makes the change forgets all users at once.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Final

from django.conf import settings
from django.db import transaction

from timba.accounts.models import User

# The tolerated difference between the clocks of two servers.
LEEWAY: Final = timedelta(seconds=30)
USER_SECONDS: Final = 1.0
# A token takes about 5 kB with its user.
MAX_TOKENS: Final = 1024

_LEEWAY_SECONDS: Final = LEEWAY.total_seconds()
# Replaced whenever users are forgotten: a user who was read before that is not remembered.
_generation = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """The claims of a token whose signature was verified."""

    family_id: uuid.UUID
    user_id: str
    token_version: int
    jti: uuid.UUID
    expires_at: int

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= time.time() - _LEEWAY_SECONDS


@dataclass(frozen=True, slots=True)
class Reading:
    """When a user was read, and after which change."""

    started_at: float
    generation: object


class VerifiedToken:
    """A token whose signature was verified, and its user as last read."""

    __slots__ = ("_read", "claims")

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self._read: tuple[User, Reading] | None = None

    @property
    def user(self) -> User | None:
        """The user, if read within the last `USER_SECONDS` and since the last change."""
        if self._read is None:
            return None
        user, reading = self._read
        is_recent = monotonic() - reading.started_at < USER_SECONDS
        return user if is_recent and reading.generation is _generation else None

    def remember_user(self, user: User, reading: Reading) -> None:
        self._read = user, reading


class TokenCache:
    """The most recently used tokens, by a digest of each. Safe for threads."""

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, access: str) -> VerifiedToken | None:
        """Return a token that was added; the caller checks its expiry at every use."""
        digest = _digest(access)
        with self._lock:
            token = self._tokens.get(digest)
            if token is not None:
                self._tokens.move_to_end(digest)
            return token

    def add(self, access: str, claims: Claims) -> VerifiedToken:
        token = VerifiedToken(claims)
        with self._lock:
            self._tokens[_digest(access)] = token
            if len(self._tokens) > self._max_tokens:
                self._tokens.popitem(last=False)
        return token


verified_tokens: Final = TokenCache()


def begin_reading() -> Reading:
    """Return what `remember_user` takes; call it before the user is read."""
    return Reading(monotonic(), _generation)


def forget_users() -> None:
    """Forget all users, now and once more when the current transaction commits.

    Services call this when they change what authentication reads. Until the commit, other threads
    still read the old state.
    """
    _forget()
    transaction.on_commit(_forget)


def _forget() -> None:
    global _generation  # noqa: PLW0603 - one for the process
    _generation = object()


def _digest(access: str) -> bytes:
    """Return the key of a token; with another signing key it is another one."""
    text = f"{settings.TIMBA_JWT_KEY}.{access}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
