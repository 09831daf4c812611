"""Generates the OpenAPI document from the types and serializers that the views really use.

Responses are described by the TypedDicts of each app's `schemas` module, requests by serializers.
What all operations have in common (credentials, errors, `Idempotency-Key`) is added here once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import (
    Annotated,
    Any,
    Final,
    NotRequired,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta, resolve_type_hint
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

Schema = dict[str, Any]
S = TypeVar("S", bound=type)

PROBLEM: Final[Schema] = {
    "title": "Problem",
    "type": "object",
    "description": "The reason for an error: problem details (RFC 9457).",
    "properties": {
        "type": {
            "type": "string",
            "description": "URI of the type of problem; about:blank for most.",
        },
        "title": {"type": "string", "description": "Name of the HTTP status."},
        "status": {"type": "integer", "description": "HTTP status code."},
        "detail": {"type": "string", "description": "One sentence that a person can act on."},
        "errors": {
            "description": "Sentences by name of the field that is invalid; for a batch of files, "
            "the rejected files instead.",
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
# Errors that only some operations have, for their `responses`.
CONFLICT_RESPONSE: Final = {(409, PROBLEM_TYPE): PROBLEM}
RANGE_RESPONSE: Final = {(416, PROBLEM_TYPE): PROBLEM}
RATE_LIMIT_RESPONSE: Final = {(429, PROBLEM_TYPE): PROBLEM}
_ERRORS: Final = {
    400: "The request is malformed or invalid.",
    401: "The credentials are missing or invalid.",
    402: "The client's subscription has lapsed, or has no seat or no storage left.",
    403: "The role does not allow this, or the CSRF token is missing.",
    404: "The object does not exist, or belongs to another client.",
    409: "The request conflicts with what exists.",
    413: "The body is larger than is accepted here.",
    415: "The Content-Type is not supported.",
    416: "The file has no such range of bytes.",
    429: "There were too many attempts: wait as many seconds as `Retry-After` says.",
}
_CONFLICT_OR_KEY: Final = (
    "The request conflicts with what exists, or the Idempotency-Key was used for another request."
)
_IDEMPOTENCY_KEY: Final[Schema] = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Makes the request safe to repeat: the same request with the same key within "
    "24 hours (for logs: 30 days) returns the first response and creates nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_PATH_PARAMETERS: Final = {
    "id": "Id of the {noun}.",
    "city_id": "Number of the city, as in the client's temperature files.",
}


def schema_of(hint: Any) -> Schema:
    """Return the schema of a TypedDict, titled by its name without `Schema`.

    Each field is `Annotated[type, description, example]`. A field whose type is another TypedDict,
    or a list of them, needs no example: it is built from the fields of that type.
    """
    properties, required = {}, []
    for name, field in get_type_hints(hint, include_extras=True).items():
        if get_origin(field) is NotRequired:
            [field] = get_args(field)  # noqa: PLW2901 - the same field, unwrapped
        else:
            required.append(name)
        properties[name] = _schema_of_field(field)
    return {
        "title": hint.__name__.removeprefix("_").removesuffix("Schema"),
        "type": "object",
        "description": hint.__doc__ or "",
        "properties": properties,
        "required": required,
    }


def page_schema(hint: Any, *, key: str = "results") -> Schema:
    """Return the schema of one page of a list: the objects under `key`, and `next`."""
    return {
        "type": "object",
        "properties": {
            key: {
                "type": "array",
                "description": "The objects of this page.",
                "items": schema_of(hint),
            },
            "next": {
                "type": ["string", "null"],
                "format": "uri",
                "description": "URL of the next page; null on the last one.",
                "examples": [None],
            },
        },
        "required": [key, "next"],
    }


def example_request(
    value: Mapping[str, Any], *, media_type: str = "application/json"
) -> Callable[[S], S]:
    """Give a serializer class the example that is shown for requests with it."""
    example = OpenApiExample("Example", value, request_only=True, media_type=media_type)
    return extend_schema_serializer(examples=[example])


def example_of(schema: Schema) -> Any:
    """Return an example of a schema, built from those of its required fields."""
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    for combination in ("allOf", "oneOf"):
        if combination in schema:
            return example_of(schema[combination][0])
    if "properties" in schema:
        return {name: example_of(schema["properties"][name]) for name in schema["required"]}
    if "items" in schema:
        return [example_of(schema["items"])]
    return None


def extract_components(result: Schema, **_: Any) -> Schema:
    """Move each titled object schema to the components, so that generated clients name it."""
    components: Schema = result.setdefault("components", {}).setdefault("schemas", {})
    for name, component in components.items():
        if name.startswith("Patched"):
            # What a PATCH leaves out stays as it is.
            for field in component["properties"].values():
                field.pop("default", None)
    result["paths"] = _with_references(result["paths"], components)
    return result


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The access token of a program."""

    target_class = "timba.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:  # noqa: ARG002 - its signature
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access` token of `POST /api/token/`.",
        }


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session cookie of a browser."""

    target_class = "timba.api.authentication.BrowserAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:  # noqa: ARG002 - its signature
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The cookie that `POST /login/` sets. Writes also send `X-CSRFToken`.",
        }


class TimbaSchema(AutoSchema):
    """Names every operation by its method and path, and adds what all operations have in common."""

    def get_operation_id(self) -> str:
        return "_".join([self.method.lower(), *re.findall(r"\w+", self.path)])

    def get_tags(self) -> list[str]:
        # There is one module of views for each noun.
        return [type(self.view).__module__.rpartition(".")[2]]

    def get_description(self) -> str:  # type: ignore[override]
        # Docstrings are written for the readers of the code.
        return ""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        handler = getattr(self.view, self.method.lower())
        takes_key = getattr(handler, "takes_idempotency_key", False)
        self._describe_path_parameters(operation)
        if takes_key:
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        responses = operation["responses"]
        for status in self._common_errors(operation):
            responses.setdefault(str(status), _error_response(_ERRORS[status]))
        for status, response in responses.items():
            _complete_response(int(status), response)
        if takes_key:
            responses["409"] = _error_response(_CONFLICT_OR_KEY)
        operation["responses"] = {
            **dict(sorted(responses.items())),
            "default": _error_response("Any other error."),
        }
        return operation

    def _describe_path_parameters(self, operation: Schema) -> None:
        found = re.search(r"/([a-z-]+)s/\{", self.path)
        noun = found[1].replace("-", " ") if found else "object"
        noun = {"tu": "upload"}.get(noun, noun)  # of `/api/files/tus/{id}/`
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                description = _PATH_PARAMETERS[parameter["name"]]
                parameter["description"] = description.format(noun=noun)

    def _common_errors(self, operation: Schema) -> Iterator[int]:
        if not self.view.permission_classes:
            return
        yield from (400, 401)
        if {} not in operation["security"]:
            if self._is_write(operation):
                yield from (402, 403)
            if "parameters" in operation or "requestBody" in operation:
                yield 404
        if "requestBody" in operation:
            yield from (413, 415)

    def _is_write(self, operation: Schema) -> bool:
        # A POST that creates nothing is a read with its parameters in the body.
        creates = not operation["responses"].keys().isdisjoint({"201", "202"})
        return self.method in {"PUT", "PATCH", "DELETE"} or (self.method == "POST" and creates)


def _schema_of_field(field: Any) -> Schema:
    """Return the schema of one annotated field of a TypedDict."""
    if get_origin(field) is not Annotated:
        raise TypeError(f"A field of a schema has no description: {field}")
    hint, description, *examples = get_args(field)
    meta = {"description": description, **({"examples": examples} if examples else {})}
    if is_typeddict(hint):
        return {"allOf": [schema_of(hint)], **meta}
    if get_origin(hint) is list and is_typeddict(get_args(hint)[0]):
        return {"type": "array", "items": schema_of(get_args(hint)[0]), **meta}
    return dict(append_meta(resolve_type_hint(hint), meta))  # type: ignore[no-untyped-call]


def _complete_response(status: int, response: Schema) -> None:
    """Add a description, and an example unless the response is an error or has one."""
    if not response["description"]:
        response["description"] = _ERRORS.get(status) or HTTPStatus(status).phrase
    for media_type, content in response.get("content", {}).items():
        example = None if media_type == PROBLEM_TYPE else example_of(content["schema"])
        if example is not None and "examples" not in content:
            content["example"] = example


def _error_response(description: str) -> Schema:
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": PROBLEM}},
    }


def _with_references(schema: Any, components: Schema) -> Any:
    if isinstance(schema, list):
        return [_with_references(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _with_references(part, components) for key, part in schema.items()}
    if copy.get("type") != "object" or not isinstance(copy.get("title"), str):
        return copy
    components[copy["title"]] = copy
    return {"$ref": f"#/components/schemas/{copy['title']}"}
