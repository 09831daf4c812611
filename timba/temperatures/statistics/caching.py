"""Caches of results: one in the process, limited by bytes, and one that processes share."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

import structlog
from django.core.cache import cache

# Sharing a result with other processes is a write, which pays only for one that took long.
SHARE_FROM_SECONDS = 0.05
SHARED_TTL_SECONDS = 24 * 3600
# That cache limits the number of its entries, and not their bytes.
MAX_SHARED_BYTES = 64 * 1024

P = ParamSpec("P")
R = TypeVar("R")
logger = structlog.get_logger(__name__)


class BoundedCache(Generic[P, R]):
    """Caches the results of a function, the most recently used up to `max_bytes` in all.

    `functools.lru_cache` limits the number of results instead.

    `size_of` returns the bytes of one result; a result larger than `max_bytes` is not cached. Safe
    for threads; threads that miss the same key at once each call the function.
    """

    def __init__(
        self, function: Callable[P, R], *, max_bytes: int, size_of: Callable[[R], int]
    ) -> None:
        update_wrapper(self, function)
        self.size_bytes = 0
        self._function, self._max_bytes, self._size_of = function, max_bytes, size_of
        self._results: OrderedDict[Hashable, R] = OrderedDict()
        self._lock = Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (args, *kwargs.items())
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = self._function(*args, **kwargs)
        size = self._size_of(result)
        with self._lock:
            if key not in self._results and size <= self._max_bytes:
                self._results[key] = result
                self.size_bytes += size
                while self.size_bytes > self._max_bytes:
                    self.size_bytes -= self._size_of(self._results.popitem(last=False)[1])
        return result

    def cache_clear(self) -> None:
        """Remove all results."""
        with self._lock:
            self._results.clear()
            self.size_bytes = 0


def bounded_cache(
    *, max_bytes: int, size_of: Callable[[R], int]
) -> Callable[[Callable[P, R]], BoundedCache[P, R]]:
    """Decorate a function with a BoundedCache."""

    def decorate(function: Callable[P, R]) -> BoundedCache[P, R]:
        return BoundedCache(function, max_bytes=max_bytes, size_of=size_of)

    return decorate


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
