"""Deletes expired sessions, refresh tokens, rate limits and failed sign-ins of all clients."""

from __future__ import annotations

from typing import Any, Final

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone

from timba.accounts.models import RateLimit, RefreshToken, TokenFamily
from timba.accounts.token_cache import LEEWAY

# Small enough that other writers do not wait long for SQLite's write lock.
_BATCH: Final = 500


def purge_expired() -> None:
    """Delete one batch of each kind, the earliest expired first."""
    now = timezone.now()
    _purge(Session.objects.filter(expire_date__lt=now).order_by("expire_date"))
    _purge(RateLimit.objects.filter(expires_at__lt=now).order_by("expires_at"))
    expired_attempts = AccessAttempt.objects.filter(
        attempt_time__lt=now - settings.AXES_COOLOFF_TIME
    )
    _purge(expired_attempts.order_by("attempt_time"))
    _purge_token_families(RefreshToken.objects.filter(expires_at__lt=now - LEEWAY))


def _purge(expired: models.QuerySet[Any]) -> None:
    batch = list(expired.values_list("pk", flat=True)[:_BATCH])
    if batch:
        expired.filter(pk__in=batch).delete()


def _purge_token_families(expired: models.QuerySet[RefreshToken]) -> None:
    """Delete refresh tokens, and the families that have none left."""
    batch = dict(expired.order_by("expires_at").values_list("pk", "family_id")[:_BATCH])
    if batch:
        with transaction.atomic():
            expired.filter(pk__in=batch).delete()
            TokenFamily.objects.filter(pk__in=batch.values(), refresh_tokens__isnull=True).delete()
