"""Tokens for programs: a short access token, and a refresh token that is good for one use.

Tokens carry no role and no client: every request reads those from the rows, so a change counts
at once. A refresh token that comes a second time was copied; unless it comes so soon that it may
be a repeated request, its whole family (the sign-in) ends. See RFC 9700, section 4.14.2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from timba.accounts.models import RefreshToken, SignIn, User
from timba.db.transactions import again_on_contention
from timba.errors import NotSignedIn

_ACCESS, _REFRESH = "access", "refresh"
_REPEAT_GRACE = timedelta(seconds=10)
# The clocks of two servers may differ by so much.
LEEWAY = timedelta(seconds=30)
_CLAIMS = frozenset({"typ", "sub", "sid", "ver", "jti", "iat", "exp"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenPair:
    """What a program keeps of a sign-in."""

    access: str
    refresh: str


@again_on_contention
def issue_tokens(*, user: User) -> TokenPair:
    """Begin a sign-in of `user`, whose credentials have been checked."""
    with transaction.atomic():
        return _new_pair(SignIn.objects.create(user=user))


@again_on_contention
def rotate_tokens(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; the old one is dead at once."""
    claims = _decode(refresh, expected=_REFRESH)
    with transaction.atomic():
        sign_in = _live_sign_in(claims)
        token = RefreshToken.objects.filter(jti=claims["jti"], sign_in=sign_in)
        now = timezone.now()
        if token.filter(used_at__isnull=True).update(used_at=now):
            return _new_pair(sign_in)
        used = token.first()
        if used and used.used_at and now - used.used_at > _REPEAT_GRACE:
            _end(sign_in.pk, now)
    raise NotSignedIn("This refresh token was used before. Sign in again.")


def revoke_tokens(*, refresh: str) -> None:
    """End the sign-in that a refresh token belongs to, if it is not over already."""
    _end(_decode(refresh, expected=_REFRESH)["sid"], timezone.now())


def user_of(access: str) -> User:
    """Return the user, with client, subscription and role, who holds this access token."""
    return _live_sign_in(_decode(access, expected=_ACCESS)).user


@cache
def _backend() -> TokenBackend:
    return TokenBackend(
        "HS256", settings.TIMBA_JWT_KEY, audience="timba", issuer="timba", leeway=LEEWAY
    )


def _decode(token: str, *, expected: str) -> dict[str, Any]:
    try:
        # Annotated as a Token there, but it is the text that is taken.
        claims: dict[str, Any] = dict(_backend().decode(token))  # type: ignore[arg-type]
        # A claim that is missing is not checked there: a token without `exp` would live for ever.
        if claims.keys() >= _CLAIMS and claims["typ"] == expected:
            claims["sid"] = uuid.UUID(claims["sid"])
            claims["jti"] = uuid.UUID(claims["jti"])
            return claims
    except (TokenBackendError, KeyError, TypeError, ValueError, AttributeError):
        pass
    raise NotSignedIn("This token is not valid, or no longer. Sign in again.")


def _live_sign_in(claims: dict[str, Any]) -> SignIn:
    alive = SignIn.objects.select_related("user__client__subscription", "user__role").filter(
        pk=claims["sid"], revoked_at__isnull=True
    )
    for sign_in in alive:  # one at most: first() would sort, for a third of the time of it all
        user = sign_in.user
        named = (claims["sub"], claims["ver"]) == (str(user.pk), user.token_version)
        if named and user.may_sign_in:
            return sign_in
    raise NotSignedIn("This sign-in is over. Sign in again.")


def _new_pair(sign_in: SignIn) -> TokenPair:
    now = timezone.now()
    refresh_expiry = now + settings.TIMBA_REFRESH_LIFETIME
    token = RefreshToken.objects.create(sign_in=sign_in, expires_at=refresh_expiry)
    return TokenPair(
        access=_encode(sign_in, _ACCESS, uuid.uuid4(), now, now + settings.TIMBA_ACCESS_LIFETIME),
        refresh=_encode(sign_in, _REFRESH, token.jti, now, refresh_expiry),
    )


def _encode(
    sign_in: SignIn, kind: str, jti: uuid.UUID, issued_at: datetime, expires_at: datetime
) -> str:
    return _backend().encode(
        {
            "typ": kind,
            "sub": str(sign_in.user.pk),
            "sid": str(sign_in.pk),
            "ver": sign_in.user.token_version,
            "jti": str(jti),
            "iat": issued_at,
            "exp": expires_at,
        }
    )


def _end(sign_in_id: uuid.UUID, now: datetime) -> None:
    SignIn.objects.filter(pk=sign_in_id, revoked_at__isnull=True).update(revoked_at=now)
