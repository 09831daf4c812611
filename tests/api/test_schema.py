"""The API responds as its OpenAPI document says, to valid and invalid requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode, checks
from schemathesis.config import GenerationConfig

from tests import endpoints
from tests.factories import Tenant
from timba.accounts.tokens import issue_tokens
from timba.api.docs import openapi_document
from timba.api.tus_requests import CHUNK_TYPE

pytestmark = pytest.mark.django_db

API = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
# The bytes of a resumable upload are sent as they are.
schemathesis.serializer.alias(CHUNK_TYPE, "application/octet-stream")
# The exact status of each invalid value is in `test_malicious_inputs`, of each other method in
# `tests.test_endpoints`; a few random ones suffice for the schema of errors, which all share.
API.config.phases.coverage.generation = GenerationConfig(modes=[GenerationMode.POSITIVE])
ID_IN_PATH = {
    re.sub("{.+?}", "{}", f"/{row.path}"): row.parameters[0]
    for row in endpoints.API
    if row.parameters
}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def _connection_stays() -> Iterator[None]:
    """Keep requests of the WSGI application from closing the connection of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def credentials(tenant: Tenant) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_tokens(user=tenant.user).access}"}


@pytest.mark.usefixtures("_connection_stays")
@API.parametrize()
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_responses_match_the_schema(
    case: Case, tenant: Tenant, credentials: dict[str, str]
) -> None:
    if case.query and "wait" in case.query:
        case.query["wait"] = 0
    if case.path_parameters and case.meta.generation.mode == GenerationMode.POSITIVE:
        case.path_parameters = {
            name: str(tenant.ids[ID_IN_PATH[re.sub("{.+?}", "{}", case.path)]])
            for name in case.path_parameters
        }
    case.call_and_validate(headers=credentials, checks=CHECKS)


def test_object_is_a_named_component() -> None:
    components = openapi_document()["components"]["schemas"]
    note = {"$ref": "#/components/schemas/Note"}
    assert list(components["Note"]["properties"]) == [
        "id", "title", "content", "consignment_id", "created_at", "updated_at",
    ]  # fmt: skip
    listed = response_of("get", "/api/notes/", 200)["properties"]["results"]
    assert (listed["type"], listed["items"]) == ("array", note)
    assert response_of("post", "/api/notes/", 201) == note


def test_bodies_are_components_named_after_their_object() -> None:
    components = openapi_document()["components"]["schemas"]
    assert {"NewNoteRequest", "NoteRequest", "PatchedNoteRequest"} <= components.keys()
    assert [name for name in components if "Input" in name or name.endswith("Enum")] == []
    # What a PATCH leaves out is not set to its default.
    assert components["NoteRequest"]["properties"]["content"]["default"] == ""
    assert "default" not in components["PatchedNoteRequest"]["properties"]["content"]


def test_an_example_of_an_error_has_the_status_of_its_response() -> None:
    ready = openapi_document()["paths"]["/health/ready"]["get"]["responses"]["503"]
    [example] = ready["content"]["application/json"]["examples"].values()
    assert example["value"]["status"] == "down"
    conflict = openapi_document()["paths"]["/api/users/{id}/"]["delete"]["responses"]["409"]
    assert conflict["description"] == "The request conflicts with what exists."
    assert conflict["content"]["application/problem+json"].keys() == {"schema"}


def test_nullable_fields_are_written_as_in_openapi_3_1() -> None:
    note = openapi_document()["components"]["schemas"]["Note"]["properties"]
    assert note["consignment_id"]["type"] == ["integer", "null"]
    assert "nullable" not in str(openapi_document())


def test_errors_are_documented_where_they_happen() -> None:
    def statuses(method: str, path: str) -> set[str]:
        return set(openapi_document()["paths"][path][method]["responses"])

    assert statuses("post", "/api/notes/") >= {"201", "400", "401", "402", "403", "404", "409"}
    assert statuses("get", "/api/notes/").isdisjoint({"402", "403", "409"})
    # It reads, with its parameters in a body.
    assert "402" not in statuses("post", "/temperature-readings/{city_id}/")
    assert {"401", "429"} <= statuses("post", "/api/token/")
    assert statuses("get", "/health/ready") == {"200", "503", "default"}


def response_of(method: str, path: str, status: int) -> dict[str, Any]:
    response = openapi_document()["paths"][path][method]["responses"][str(status)]
    found: dict[str, Any] = response["content"]["application/json"]["schema"]
    return found
