"""Makes OpenAPI agree with what the doors really answer: from the same shapes that are rendered."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import resolve_type_hint

PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {},
    },
    "required": ["type", "title", "status", "detail"],
}


def shape(hint: Any) -> dict[str, Any]:
    """Return the schema of a shape: a TypedDict, or a list of one."""
    schema: dict[str, Any] = resolve_type_hint(hint)  # type: ignore[no-untyped-call]
    return schema


def listing(hint: Any, *, key: str = "results") -> dict[str, Any]:
    """Return the schema of a page of shapes under `key`."""
    return {
        "type": "object",
        "properties": {
            key: {"type": "array", "items": shape(hint)},
            "next": {"type": ["string", "null"], "format": "uri"},
        },
        "required": [key, "next"],
    }


class TimbaSchema(AutoSchema):
    """Adds to every operation the problem that it may answer with."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["responses"]["default"] = {
                "description": "A refusal, as RFC 9457 problem details.",
                "content": {"application/problem+json": {"schema": PROBLEM}},
            }
        return operation
