"""The OpenAPI document is complete: it is all that a stranger needs to call every operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from timba import __version__
from timba.api.docs import openapi_document

DOCUMENT = openapi_document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


def test_version_is_that_of_the_project() -> None:
    assert DOCUMENT["info"]["version"] == __version__


@every_operation
def test_an_operation_has_a_summary_of_its_own(name: str) -> None:
    summary = OPERATIONS[name].get("summary")
    assert summary
    assert [other["summary"] for other in OPERATIONS.values()].count(summary) == 1


@every_operation
def test_every_parameter_has_a_description(name: str) -> None:
    undescribed = [
        parameter["name"]
        for parameter in OPERATIONS[name].get("parameters", [])
        if not parameter.get("description")
    ]
    assert undescribed == []


def test_every_field_has_a_description() -> None:
    undescribed = [
        f"{where}.{field}"
        for where, schema in _objects(DOCUMENT, "")
        for field, described in schema["properties"].items()
        if not described.get("description")
    ]
    assert undescribed == []


@every_operation
def test_a_call_has_a_valid_example_of_its_request_and_of_its_success(name: str) -> None:
    operation = OPERATIONS[name]
    contents = [*operation.get("requestBody", {}).get("content", {}).items()]
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            contents += response.get("content", {}).items()
    for media_type, content in contents:
        if content["schema"].get("format") == "binary":
            continue
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        assert examples, media_type
        for example in examples:
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def _objects(part: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, schema) of each schema of an object in a part of the document."""
    if isinstance(part, list):
        for inner in part:
            yield from _objects(inner, where)
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            yield where, part
        for key, inner in part.items():
            if key not in {"example", "examples"}:
                yield from _objects(inner, f"{where}/{key}")
