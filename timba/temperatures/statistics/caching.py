"""The cache of results that processes share."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.core.cache import cache

# Sharing a result with other processes is a write, which pays only for one that took long.
SHARE_FROM_SECONDS = 0.05
SHARED_TTL_SECONDS = 24 * 3600
# That cache limits the number of its entries, and not their bytes.
MAX_SHARED_BYTES = 64 * 1024

logger = structlog.get_logger(__name__)


def get_shared(key: str, compute: Callable[[], bytes | None]) -> bytes | None:
    """Return the bytes in the cache that processes share, or compute and perhaps store them.

    The cache may be unavailable. None is not stored.
    """
    try:
        cached: bytes | None = cache.get(key)
    except Exception:
        logger.warning("cache_unavailable", exc_info=True)
        cached = None
    if cached is not None:
        return cached
    started = time.monotonic()
    result = compute()
    is_slow = time.monotonic() - started >= SHARE_FROM_SECONDS
    if result is not None and is_slow and len(result) <= MAX_SHARED_BYTES:
        try:
            cache.set(key, result, SHARED_TTL_SECONDS)
        except Exception:
            logger.warning("cache_unavailable", exc_info=True)
    return result
