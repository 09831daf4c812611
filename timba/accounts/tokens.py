"""JSON Web Tokens for programs: short-lived access tokens and rotating refresh tokens.

Tokens contain no role and no client: they are read from the database, so changes take effect at
once, or where `token_cache` may answer within a second. A refresh token that is used twice was
copied: its whole family is revoked, unless the second use comes soon enough to be a retry. See
RFC 9700, section 4.14.2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import UUIDField
from django.utils import timezone

from timba.accounts.models import RefreshToken, TokenFamily, User
from timba.accounts.token_cache import (
    LEEWAY,
    Claims,
    begin_reading,
    forget_users,
    verified_tokens,
)
from timba.db.compiled_queries import CompiledRows
from timba.db.transactions import retry_on_deadlock
from timba.errors import NotSignedIn

_ACCESS, _REFRESH = "access", "refresh"
_REPEAT_GRACE = timedelta(seconds=10)
_CLAIMS = ["typ", "sub", "sid", "ver", "jti", "iat", "exp"]
_ALGORITHM, _AUDIENCE, _ISSUER = "HS256", "timba", "timba"
_INVALID = "The token is invalid or has expired. Sign in again."

_active_families = CompiledRows[TokenFamily](
    lambda pk: TokenFamily.objects.filter(pk=pk, revoked_at__isnull=True).select_related(
        "user__client__subscription", "user__role"
    ),
    UUIDField(),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenPair:
    """The tokens of one sign-in."""

    access: str
    refresh: str


@retry_on_deadlock
def issue_tokens(*, user: User) -> TokenPair:
    """Sign in `user`, whose credentials have been checked, with a new token family."""
    with transaction.atomic():
        return _issue_pair(TokenFamily.objects.create(user=user))


@retry_on_deadlock
def rotate_tokens(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; the old one cannot be used again.

    Raises NotSignedIn for an invalid, expired, revoked or used token.
    """
    claims = _decode(refresh, expected=_REFRESH)
    with transaction.atomic():
        family = _get_active_family(claims)
        token = RefreshToken.objects.filter(jti=claims.jti, family=family)
        now = timezone.now()
        if token.filter(used_at__isnull=True).update(used_at=now):
            return _issue_pair(family)
        used = token.first()
        if used and used.used_at and now - used.used_at > _REPEAT_GRACE:
            _revoke(family.pk, now)
    raise NotSignedIn("This refresh token was used before. Sign in again.")


def revoke_tokens(*, refresh: str) -> None:
    """Revoke the family of a refresh token."""
    _revoke(_decode(refresh, expected=_REFRESH).family_id, timezone.now())


def get_user_by_access_token(access: str, *, recent: bool = False) -> User:
    """Return the user of an access token, with client, subscription and role.

    Where a `recent` one will do, the user may have been read up to `USER_SECONDS` ago; treat it as
    read-only, because requests share it. Raises NotSignedIn for an invalid, expired or revoked
    token.
    """
    token = verified_tokens.get(access)
    if token is None:
        token = verified_tokens.add(access, _decode(access, expected=_ACCESS))
    elif token.claims.is_expired:
        raise NotSignedIn(_INVALID)
    user = token.user if recent else None
    if user is None:
        reading = begin_reading()
        user = _get_active_family(token.claims).user
        token.remember_user(user, reading)
    return user


def _decode(token: str, *, expected: str) -> Claims:
    """Return the claims of a token of the `expected` type; raise NotSignedIn for any other."""
    try:
        claims = jwt.decode(
            token,
            settings.TIMBA_JWT_KEY,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            leeway=LEEWAY,
            # A missing claim would not be checked: a token without `exp` would never expire.
            options={"require": _CLAIMS},
        )
        if claims["typ"] == expected:
            return Claims(
                family_id=uuid.UUID(claims["sid"]),
                user_id=claims["sub"],
                token_version=claims["ver"],
                jti=uuid.UUID(claims["jti"]),
                expires_at=int(claims["exp"]),
            )
    except (jwt.InvalidTokenError, TypeError, ValueError, AttributeError):
        pass
    raise NotSignedIn(_INVALID)


def _get_active_family(claims: Claims) -> TokenFamily:
    for family in _active_families.get(claims.family_id):
        user = family.user
        is_current = (claims.user_id, claims.token_version) == (str(user.pk), user.token_version)
        if is_current and user.can_sign_in:
            return family
    raise NotSignedIn("This sign-in is over. Sign in again.")


def _issue_pair(family: TokenFamily) -> TokenPair:
    now = timezone.now()
    refresh_expiry = now + settings.TIMBA_REFRESH_LIFETIME
    token = RefreshToken.objects.create(family=family, expires_at=refresh_expiry)
    return TokenPair(
        access=_encode(family, _ACCESS, uuid.uuid4(), now, now + settings.TIMBA_ACCESS_LIFETIME),
        refresh=_encode(family, _REFRESH, token.jti, now, refresh_expiry),
    )


def _encode(
    family: TokenFamily, kind: str, jti: uuid.UUID, issued_at: datetime, expires_at: datetime
) -> str:
    return jwt.encode(
        {
            "aud": _AUDIENCE,
            "iss": _ISSUER,
            "typ": kind,
            "sub": str(family.user.pk),
            "sid": str(family.pk),
            "ver": family.user.token_version,
            "jti": str(jti),
            "iat": issued_at,
            "exp": expires_at,
        },
        settings.TIMBA_JWT_KEY,
        algorithm=_ALGORITHM,
    )


def _revoke(family_id: uuid.UUID, now: datetime) -> None:
    TokenFamily.objects.filter(pk=family_id, revoked_at__isnull=True).update(revoked_at=now)
    forget_users()
