"""Sends malformed requests, and tells harmless responses from failures."""

from __future__ import annotations

from typing import Any

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
    address = path or good.door.path(good.tenant.ids)
    answer = good.program.generic(good.method, address, body, content_type=content_type, **extra)
    if answer.streaming:
        b"".join(answer)
    return answer


def assert_harmless(answer: Any) -> None:
    """Check that an answer is a success, a redirection, or problem details below 500."""
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)
