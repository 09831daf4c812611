"""What Timba's OpenAPI document says of the rows of `tests.endpoints`."""

from __future__ import annotations

import re
from typing import Any

from tests.endpoints import Endpoint
from timba.api.docs import openapi_document

OPERATIONS = {
    re.sub(r"{\w+}", "{}", f"{method.upper()} {path[1:]}"): operation
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
}


def operation(endpoint: Endpoint) -> dict[str, Any]:
    """Return what OpenAPI says of an endpoint; an empty dictionary if it is not documented."""
    found: dict[str, Any] = OPERATIONS.get(re.sub(r"{\w+}", "{}", str(endpoint)), {})
    return found


def fields_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return the properties of an endpoint's body by name."""
    for content in operation(endpoint).get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = openapi_document()["components"]["schemas"][name]
        properties: dict[str, Any] = schema["properties"]
        return properties
    return {}
