"""Sends to a door what no program of good will sends, and tells harm from refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.http import QueryDict

from tests.callers import Caller
from tests.contract.answers import assert_problem


def send(
    good: Caller,
    body: bytes,
    *,
    path: str = "",
    content_type: str = "application/json",
    **extra: Any,
) -> Any:
    address = path or good.door.path(good.world.ids)
    answer = good.program.generic(good.method, address, body, content_type=content_type, **extra)
    if answer.streaming:
        b"".join(answer)
    return answer


def assert_harmless(answer: Any) -> None:
    """Check that an answer is a success, a redirection, or problem details below 500."""
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)


@contextmanager
def names_asked_for() -> Iterator[set[str]]:
    """Give the names of the parameters that are looked for meanwhile, in any query or form."""
    names: set[str] = set()

    class Noting(QueryDict):
        def __getitem__(self, key: str) -> Any:
            names.add(key)
            return super().__getitem__(key)

        def getlist(self, key: str, default: Any = None) -> Any:
            names.add(key)
            return super().getlist(key, default)

    with (
        patch("django.core.handlers.wsgi.QueryDict", Noting),
        patch("django.http.request.QueryDict", Noting),
    ):
        yield names
