"""The manner of the `/timba/…` doors: where parameters stand, and what wraps each answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from timba.api.http import check_storable
from timba.api.openapi import schema_of
from timba.errors import Invalid


def merge_query_and_body(request: Request, *, noun: str) -> dict[str, Any]:
    """Return what was sent in the query and in a JSON body, where the body counts for more.

    `id` is an alias of the noun's own id, `<noun>_id`.
    """
    check_storable(request.query_params)
    if not isinstance(request.data, Mapping):
        raise ParseError("The body must be a JSON object.")
    given = {**request.query_params.dict(), **request.data}
    if "id" in given:
        given.setdefault(f"{noun}_id", given["id"])
    return given


def merge_body_into_query(request: Request) -> dict[str, Any]:
    """Return the parameters of a list, and let its pages find them where those look: in the query.

    The address of the next page then carries what was sent in a body.
    """
    given = merge_query_and_body(request, noun="")
    query = request.query_params.copy()
    for name in given.keys() - query.keys():
        if given[name] is not None:
            query[name] = str(given[name])
    # Annotated as immutable, which keeps others from changing it by accident.
    request._request.GET = query  # type: ignore[assignment]
    return given


def get_id_or_400(given: Mapping[str, Any], *, noun: str) -> Any:
    """Return the id that says which one is meant; raise Invalid where it was left out."""
    value = given.get(f"{noun}_id")
    if value in (None, ""):
        raise Invalid(fields={f"{noun}_id": [f"Say which {noun}: give its {noun}_id."]})
    return value


def created_response(noun: str, data: Mapping[str, Any]) -> Response:
    """Answer a PUT."""
    return _enveloped(f"The {noun} has been added.", data, status=201)


def changed_response(noun: str, data: Mapping[str, Any]) -> Response:
    """Answer a PATCH."""
    return _enveloped(f"The {noun} has been changed.", data, status=200)


def deleted_response(noun: str) -> Response:
    """Answer a DELETE."""
    return Response({"message": f"The {noun} has been deleted."})


def message_and_data_schema(hint: Any) -> dict[str, Any]:
    """Return the schema of what PUT and PATCH answer with."""
    return {
        "type": "object",
        "properties": {
            "message": _MESSAGE,
            "data": {"allOf": [schema_of(hint)], "description": "The object after the change."},
        },
        "required": ["message", "data"],
    }


_MESSAGE = {
    "type": "string",
    "description": "What was done, in a sentence.",
    "examples": ["It has been done."],
}
MESSAGE_SCHEMA = {
    "type": "object",
    "properties": {"message": _MESSAGE},
    "required": ["message"],
}


def id_parameters(noun: str) -> list[OpenApiParameter]:
    """Return the schema of the parameters that say which one a GET or a DELETE is about."""
    return [
        OpenApiParameter(
            f"{noun}_id", int, description=f"Id of the {noun}, here or in a JSON body."
        ),
        OpenApiParameter("id", int, description=f"An alias of {noun}_id."),
    ]


def _enveloped(message: str, data: Mapping[str, Any], *, status: int) -> Response:
    return Response({"message": message, "data": data}, status=status)
