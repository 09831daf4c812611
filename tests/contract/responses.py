"""What the contract says of every answer alike."""

from __future__ import annotations

import re
from typing import Any, Final

TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """Check that an answer is RFC 9457 problem details of this status; return them."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    payload: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= payload.keys()
    assert payload.keys() <= {"type", "title", "status", "detail", "errors"}
    assert payload["status"] == status
    assert payload["title"]
    assert payload["detail"].strip()[-1] in ".:”…", payload["detail"]
    for word in ("Traceback", "django", "Exception", "<html"):
        assert word not in response.content.decode()
    return payload


def envelope(response: Any, status: int) -> dict[str, Any]:
    """Check that an answer is `{"message","data"}`; return the data."""
    assert response.status_code == status, response.content
    assert list(response.json()) == ["message", "data"]
    assert response.json()["message"].endswith(".")
    data: dict[str, Any] = response.json()["data"]
    return data
