"""Caches results of a function in the process, limited by their bytes instead of their number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class BoundedCache(Generic[P, R]):
    """Caches the results of a function, the most recently used up to `max_bytes` in all.

    `functools.lru_cache` limits the number of results instead.

    `size_of` returns the bytes of one result; a result larger than `max_bytes` is not cached. Safe
    for threads; threads that miss the same key at once each call the function. `key` returns what
    a result is cached under, by default all arguments.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        max_bytes: int,
        size_of: Callable[[R], int],
        key: Callable[..., Hashable],
    ) -> None:
        update_wrapper(self, function)
        self.size_bytes = 0
        self._function, self._max_bytes, self._size_of = function, max_bytes, size_of
        self._key = key
        self._results: OrderedDict[Hashable, R] = OrderedDict()
        self._lock = Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        key = self._key(*args, **kwargs)
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


def _all_arguments(*args: Any, **kwargs: Any) -> Hashable:
    return (args, *kwargs.items())


def bounded_cache(
    *, max_bytes: int, size_of: Callable[[R], int], key: Callable[..., Hashable] = _all_arguments
) -> Callable[[Callable[P, R]], BoundedCache[P, R]]:
    """Decorate a function with a BoundedCache."""

    def decorate(function: Callable[P, R]) -> BoundedCache[P, R]:
        return BoundedCache(function, max_bytes=max_bytes, size_of=size_of, key=key)

    return decorate
