"""The conventions of the `/timba/…` endpoints: where parameters are, and what wraps a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from timba.api.http import JSONResponse, check_storable
from timba.api.openapi import Schema, schema_of
from timba.errors import Invalid


def merge_query_and_body(request: Request, *, noun: str) -> dict[str, Any]:
    """Return the parameters of the query and of the JSON body; the body takes precedence.

    `id` is an alias of the noun's own id, `<noun>_id`.
    """
    check_storable(request.query_params)
    if not isinstance(request.data, Mapping):
        raise ParseError("The body must be a JSON object.")
    params = {**request.query_params.dict(), **request.data}
    if "id" in params:
        params.setdefault(f"{noun}_id", params["id"])
    return params


def merge_body_into_query(request: Request) -> dict[str, Any]:
    """Return the parameters of a list, and copy those of the body into the request's query.

    Pagination reads the query only, and the URL of the next page then carries all parameters.
    """
    params = merge_query_and_body(request, noun="")
    query = request.query_params.copy()
    for name in params.keys() - query.keys():
        if params[name] is not None:
            query[name] = str(params[name])
    # Django's annotation is an immutable QueryDict, which prevents accidental changes.
    request._request.GET = query  # type: ignore[assignment]
    return params


def get_id_or_400(params: Mapping[str, Any], *, noun: str) -> Any:
    """Return the noun's id from the parameters, unparsed; raise Invalid where it is missing."""
    value = params.get(f"{noun}_id")
    if value in (None, ""):
        raise Invalid(fields={f"{noun}_id": [f"Say which {noun}: give its {noun}_id."]})
    return value


def created_response(noun: str, data: Mapping[str, Any]) -> JSONResponse:
    """Return the response to a PUT."""
    return JSONResponse({"message": f"The {noun} has been added.", "data": data}, status=201)


def changed_response(noun: str, data: Mapping[str, Any]) -> JSONResponse:
    """Return the response to a PATCH."""
    return JSONResponse({"message": f"The {noun} has been changed.", "data": data})


def deleted_response(noun: str) -> JSONResponse:
    """Return the response to a DELETE."""
    return JSONResponse({"message": f"The {noun} has been deleted."})


def created_schema(noun: str, hint: Any) -> Schema:
    """Return the schema of `created_response`."""
    return _message_schema(f"The {noun} has been added.", data=_data_schema(hint))


def changed_schema(noun: str, hint: Any) -> Schema:
    """Return the schema of `changed_response`."""
    return _message_schema(f"The {noun} has been changed.", data=_data_schema(hint))


def deleted_schema(noun: str) -> Schema:
    """Return the schema of `deleted_response`."""
    return _message_schema(f"The {noun} has been deleted.")


def id_parameters(noun: str) -> list[OpenApiParameter]:
    """Return the OpenAPI parameters that name the object of a GET, PATCH or DELETE."""
    return [
        OpenApiParameter(
            f"{noun}_id", int, description=f"Id of the {noun}, in the query or in a JSON body."
        ),
        OpenApiParameter("id", int, description=f"An alias of {noun}_id."),
    ]


def _message_schema(example: str, **properties: Schema) -> Schema:
    message = {
        "type": "string",
        "description": "What was done, in a sentence.",
        "examples": [example],
    }
    return {
        "type": "object",
        "properties": {"message": message, **properties},
        "required": ["message", *properties],
    }


def _data_schema(hint: Any) -> Schema:
    return {"allOf": [schema_of(hint)], "description": "The object as it is now."}
