"""Makes OpenAPI agree with what the doors really answer: from the same shapes that are rendered.

What every door does alike (who is asked, what is refused, how a key makes a write safe to repeat)
is said here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import resolve_type_hint

Schema = dict[str, Any]

PROBLEM: Final[Schema] = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457 problem details.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "one sentence that a person can act on"},
        "errors": {
            "description": "sentences by field; a batch of files lists its refusals instead",
            "oneOf": [
                {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                {"type": "array", "items": {"type": "object"}},
            ],
        },
    },
    "required": ["type", "title", "status", "detail"],
}
PROBLEM_TYPE: Final = "application/problem+json"
# For the responses of doors that refuse for more reasons than most.
CONFLICT_RESPONSE: Final = {(409, PROBLEM_TYPE): PROBLEM}
RANGE_RESPONSE: Final = {(416, PROBLEM_TYPE): PROBLEM}
RATE_LIMIT_RESPONSE: Final = {(429, PROBLEM_TYPE): PROBLEM}
_REFUSALS: Final = {
    400: "What was sent is malformed or not valid.",
    401: "Nobody is signed in, or the credentials are not right.",
    402: "The client's subscription has lapsed, or its seats are taken.",
    403: "The role does not allow it, or the CSRF token is missing.",
    404: "It does not exist, or not for this client.",
    409: "It conflicts with what exists, or the key was used for another request.",
    413: "It is larger than is accepted here.",
    415: "The Content-Type is not supported.",
}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "The same request with the same key within 24 hours is answered as the first "
    "time, and creates nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def schema_of(hint: Any) -> Schema:
    """Return the schema of a shape, a TypedDict; it is named like it."""
    schema = _with_nulls(resolve_type_hint(hint))  # type: ignore[no-untyped-call]
    name: str = hint.__name__
    return {"title": name.removeprefix("_").removesuffix("Schema"), **schema}


def page_schema(hint: Any, *, key: str = "results") -> Schema:
    """Return the schema of a page of shapes under `key`."""
    return {
        "type": "object",
        "properties": {
            key: {"type": "array", "items": schema_of(hint)},
            "next": {"type": ["string", "null"], "format": "uri"},
        },
        "required": [key, "next"],
    }


def extract_components(result: Schema, **_: Any) -> Schema:
    """Move each titled object to the components, so that programs made from this know its name."""
    components: Schema = result.setdefault("components", {}).setdefault("schemas", {})
    result["paths"] = _named(result["paths"], components)
    return result


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How programs sign their requests."""

    target_class = "timba.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:  # noqa: ARG002 - its signature
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "the `access` of `POST /api/token/`",
        }


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How browsers do."""

    target_class = "timba.api.authentication.BrowserAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:  # noqa: ARG002 - its signature
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "the cookie of `POST /login/`; a write also sends `X-CSRFToken`",
        }


class TimbaSchema(AutoSchema):
    """Names every operation by its method and path, and adds what all doors have in common."""

    def get_operation_id(self) -> str:
        return "_".join([self.method.lower(), *re.findall(r"\w+", self.path)])

    def get_tags(self) -> list[str]:
        # A module is a noun.
        return [type(self.view).__module__.rpartition(".")[2]]

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        handler = getattr(self.view, self.method.lower())
        takes_key = getattr(handler, "takes_idempotency_key", False)
        if takes_key:
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        responses = operation["responses"]
        for status, response in responses.items():
            response["description"] = response["description"] or HTTPStatus(int(status)).phrase
        for status in self._refusals(operation, takes_key=takes_key):
            responses.setdefault(str(status), _refusal(_REFUSALS[status]))
        operation["responses"] = {
            **dict(sorted(responses.items())),
            "default": _refusal("Any other refusal."),
        }
        return operation

    def _refusals(self, operation: Schema, *, takes_key: bool) -> Iterator[int]:
        if not self.view.permission_classes:
            return
        yield from (400, 401)
        if {} not in operation["security"]:
            if self._writes(operation):
                yield from (402, 403)
            if "parameters" in operation or "requestBody" in operation:
                yield 404
        if takes_key:
            yield 409
        if "requestBody" in operation:
            yield from (413, 415)

    def _writes(self, operation: Schema) -> bool:
        # A POST that creates nothing only reads, with its parameters in a body.
        creates = not operation["responses"].keys().isdisjoint({"201", "202"})
        return self.method in {"PUT", "PATCH", "DELETE"} or (self.method == "POST" and creates)


def _refusal(description: str) -> Schema:
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": PROBLEM}},
    }


def _with_nulls(schema: Any) -> Any:
    """Return a schema whose nullable parts are said as OpenAPI 3.1 says them."""
    if isinstance(schema, list):
        return [_with_nulls(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _with_nulls(part) for key, part in schema.items() if key != "nullable"}
    if schema.get("nullable"):
        plain["type"] = [plain["type"], "null"]
    return plain


def _named(schema: Any, components: Schema) -> Any:
    if isinstance(schema, list):
        return [_named(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _named(part, components) for key, part in schema.items()}
    if named.get("type") != "object" or not isinstance(named.get("title"), str):
        return named
    components[named["title"]] = named
    return {"$ref": f"#/components/schemas/{named['title']}"}
