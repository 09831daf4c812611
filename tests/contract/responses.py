"""What the contract says of every answer alike."""

from __future__ import annotations

import re
from typing import Any, Final

TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    """Check that an answer is RFC 9457 problem details of this status; return them."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= said.keys()
    assert said.keys() <= {"type", "title", "status", "detail", "errors"}
    assert said["status"] == status
    assert said["title"]
    assert said["detail"].strip()[-1] in ".:”…", said["detail"]
    for word in ("Traceback", "django", "Exception", "<html"):
        assert word not in answer.content.decode()
    return said


def envelope(answer: Any, status: int) -> dict[str, Any]:
    """Check that an answer is `{"message","data"}`; return the data."""
    assert answer.status_code == status, answer.content
    assert list(answer.json()) == ["message", "data"]
    assert answer.json()["message"].endswith(".")
    data: dict[str, Any] = answer.json()["data"]
    return data
