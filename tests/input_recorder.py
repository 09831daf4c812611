"""Records by which names a view looks up its input, so that a test can try each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.http import QueryDict

from timba.api.http import StrictJSONParser


@contextmanager
def recorded_names() -> Iterator[set[str]]:
    """Yield the set of names that are looked up in any query, form or JSON body meanwhile.

    Iteration over a whole body looks up every name in it.
    """
    names: set[str] = set()
    parse = StrictJSONParser.parse

    def recording(method: Any) -> Any:
        def lookup(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
            names.add(key)
            return method(self, key, *args, **kwargs)

        return lookup

    class RecordingDict(dict[str, Any]):
        __getitem__ = recording(dict.__getitem__)
        get = recording(dict.get)
        pop = recording(dict.pop)

        def __iter__(self) -> Iterator[str]:
            names.update(super().__iter__())
            return super().__iter__()

        def keys(self) -> Any:
            return list(self)

        def values(self) -> Any:
            return [self[name] for name in self]

        def items(self) -> Any:
            return [(name, self[name]) for name in self]

    def parse_recording(*args: Any, **kwargs: Any) -> Any:
        body = parse(*args, **kwargs)
        return RecordingDict(body) if isinstance(body, dict) else body

    with (
        patch.object(QueryDict, "__getitem__", recording(QueryDict.__getitem__)),
        patch.object(QueryDict, "getlist", recording(QueryDict.getlist)),
        patch.object(StrictJSONParser, "parse", parse_recording),
    ):
        yield names
