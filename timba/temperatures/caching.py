"""A cache of results that is bounded by bytes: `lru_cache` counts entries, whatever their size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class BoundedCache(Generic[P, R]):
    """Calls a function once for each set of arguments, for as long as its result is kept.

    The results used last are kept, up to `max_bytes` by what `size_of` says of each; one that is
    larger by itself is not.
    """

    def __init__(
        self, function: Callable[P, R], *, max_bytes: int, size_of: Callable[[R], int]
    ) -> None:
        update_wrapper(self, function)
        self.bytes_kept = 0
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
                self.bytes_kept += size
                while self.bytes_kept > self._max_bytes:
                    self.bytes_kept -= self._size_of(self._results.popitem(last=False)[1])
        return result

    def cache_clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._results.clear()
            self.bytes_kept = 0


def bounded_cache(
    *, max_bytes: int, size_of: Callable[[R], int]
) -> Callable[[Callable[P, R]], BoundedCache[P, R]]:
    """Keep the results of a function, up to a number of bytes."""

    def decorate(function: Callable[P, R]) -> BoundedCache[P, R]:
        return BoundedCache(function, max_bytes=max_bytes, size_of=size_of)

    return decorate
