"""Bounds what a shared cache may cost: one that is away or silent is a miss, not a wait."""

from __future__ import annotations

from typing import Any, Final

_REDIS: Final = "django.core.cache.backends.redis.RedisCache"
_PATIENCE_SECONDS: Final = 1


def bounded(cache: dict[str, Any]) -> dict[str, Any]:
    """Return the cache's settings with time limits, where it is a Redis."""
    if cache["BACKEND"] != _REDIS:
        return cache
    # Where there is no Redis, its client is not loaded.
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    limits = {
        "socket_connect_timeout": _PATIENCE_SECONDS,
        "socket_timeout": _PATIENCE_SECONDS,
        # The client's own habit is to try again for many seconds.
        "retry": Retry(NoBackoff(), retries=0),
    }
    return {**cache, "OPTIONS": {**limits, **cache.get("OPTIONS", {})}}
