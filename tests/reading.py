"""Notes by which names a door looks into what it is sent: what it reads is what has to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.http import QueryDict

from timba.api.http import StrictJSONParser


@contextmanager
def names_read() -> Iterator[set[str]]:
    """Give the names that are looked up meanwhile in any query, form or JSON body.

    Whoever walks through all of them has read each.
    """
    names: set[str] = set()
    parse = StrictJSONParser.parse

    def noting(method: Any) -> Any:
        def noted(self: Any, key: str, *rest: Any, **options: Any) -> Any:
            names.add(key)
            return method(self, key, *rest, **options)

        return noted

    class Noting(dict[str, Any]):
        __getitem__ = noting(dict.__getitem__)
        get = noting(dict.get)
        pop = noting(dict.pop)

        def __iter__(self) -> Iterator[str]:
            names.update(super().__iter__())
            return super().__iter__()

        def keys(self) -> Any:
            return list(self)

        def values(self) -> Any:
            return [self[name] for name in self]

        def items(self) -> Any:
            return [(name, self[name]) for name in self]

    def parse_noting(*args: Any, **options: Any) -> Any:
        body = parse(*args, **options)
        return Noting(body) if isinstance(body, dict) else body

    with (
        patch.object(QueryDict, "__getitem__", noting(QueryDict.__getitem__)),
        patch.object(QueryDict, "getlist", noting(QueryDict.getlist)),
        patch.object(StrictJSONParser, "parse", parse_noting),
    ):
        yield names
