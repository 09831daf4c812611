"""“Everywhere”: a write that creates accepts `Idempotency-Key`, at every endpoint that creates."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from rest_framework.test import APIClient

from tests.clients import api_client_of, call
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from tests.endpoints import API, READINGS, Endpoint, operation
from tests.factories import Tenant, UserFactory
from timba import failpoints
from timba.accounts.models import User
from timba.api.models import IdempotentRequest
from timba.consignments.models import Consignment
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

NOTE = {"title": "Lorry 7", "content": "bark"}
NOTES = "/api/notes/"
KEY = {"Idempotency-Key": "7d3f"}
KEYED = [
    endpoint
    for endpoint in API
    if any(p["name"] == "Idempotency-Key" for p in operation(endpoint).get("parameters", []))
]
OWNERS = [
    endpoint
    for endpoint in KEYED
    if endpoint.permission != "staff" and endpoint.status < HTTPStatus.CONFLICT
]


def row_counts() -> dict[str, int]:
    """Return the number of rows of each of Timba's tables."""
    models = [m for config in apps.get_app_configs() for m in config.get_models()]
    return {
        model._meta.label: model._base_manager.count()
        for model in models
        if model.__module__.startswith("timba.")
    }


def note_count() -> int:
    """Return the number of notes that the test has created."""
    return Note.unscoped.filter(title=NOTE["title"]).count()


def other_body(endpoint: Endpoint) -> dict[str, Any]:
    """Return a change of one field of the minimal body, or of the bytes of its file."""
    if endpoint.is_tus:
        return {"filename": "another.csv"}
    if "ids" in endpoint.body:
        return {"consignment_id": None}
    names = ("file", "files", "username", "title", "name", "length")
    name = next((n for n in names if n in endpoint.body), "unknown")
    if name.startswith("file"):
        return {name: SimpleUploadedFile("walked.csv", READINGS.replace(b"21.5", b"21.6"))}
    return {name: "7" if name == "length" else "Another"}


def test_every_write_that_creates_accepts_a_key() -> None:
    creating = [e for e in API if operation(e).get("responses", {}).keys() & {"201", "202"}]
    assert [e for e in creating if "retry" not in e.path and e not in KEYED] == []


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_a_repeated_request_gets_the_same_response_and_creates_nothing(
    endpoint: Endpoint, tenant: Tenant
) -> None:
    client = api_client_of(tenant.user)
    first = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.status
    before = row_counts()
    again = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Content-Type"] == first["Content-Type"]
    assert row_counts() == before


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_the_same_key_with_another_request_is_409(endpoint: Endpoint, tenant: Tenant) -> None:
    client = api_client_of(tenant.user)
    first = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.status
    before = row_counts()
    query = {"client_id": tenant.client.pk}
    for other in ({"body": other_body(endpoint)}, {"query": query}):
        assert_problem(call(client, endpoint, tenant.ids, headers=KEY, **other), 409)
    assert row_counts() == before


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_without_a_response_nothing_has_happened(endpoint: Endpoint, tenant: Tenant) -> None:
    """An error between the change and its response leaves neither."""
    client = api_client_of(tenant.user)
    before = row_counts()

    def fail(point: str) -> None:
        if point == "idempotency.effect_written":
            raise OperationalError(1021, "Disk full")

    failpoints.set_hook(fail)
    try:
        assert_problem(call(client, endpoint, tenant.ids, headers=KEY, commit=True), 503)
    finally:
        failpoints.set_hook(None)
    assert row_counts() == before
    response = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert response.status_code == endpoint.status


@pytest.mark.parametrize("endpoint", [e for e in OWNERS if "restore" not in e.path], ids=str)
def test_another_users_key_is_another_key(endpoint: Endpoint, tenant: Tenant) -> None:
    first = call(api_client_of(tenant.user), endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.status
    client = api_client_of(UserFactory(client=tenant.client))
    response = call(client, endpoint, tenant.ids, headers=KEY, body=other_body(endpoint))
    assert response.status_code == endpoint.status


def test_the_same_key_at_another_endpoint_is_409(api_client: APIClient, tenant: Tenant) -> None:
    assert api_client.post(NOTES, NOTE, headers=KEY).status_code == 201
    body = {"name": "Load", "type": "hardwood"}
    assert_problem(api_client.put("/timba/consignment", body, headers=KEY), 409)
    assert api_client.post(NOTES.rstrip("/"), NOTE, headers=KEY).status_code == 201
    assert note_count() == 1


def test_the_order_of_fields_does_not_matter(api_client: APIClient) -> None:
    first = api_client.post(NOTES, NOTE, headers=KEY)
    again = api_client.post(NOTES, dict(reversed(NOTE.items())), headers=KEY)
    assert again.json() == first.json()


def test_a_repetition_while_the_first_request_runs_is_409(api_client: APIClient) -> None:
    api_client.post(NOTES, NOTE, headers=KEY)
    IdempotentRequest.objects.update(response_status=None, response_body=None)
    assert_problem(api_client.post(NOTES, NOTE, headers=KEY), 409)
    assert note_count() == 1


def test_error_responses_are_not_stored(api_client: APIClient) -> None:
    for _ in range(2):
        assert_problem(api_client.post(NOTES, {"title": ""}, headers=KEY), 400)
    assert_problem(api_client.post(NOTES, {"title": "x", "consignment_id": 7}, headers=KEY), 404)
    assert_problem(api_client.post("/api/upload/", {}, format="multipart", headers=KEY), 400)
    assert api_client.post(NOTES, NOTE, headers=KEY).status_code == 201


def test_a_key_is_valid_for_24_hours(owner: User) -> None:
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        assert api_client_of(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        clock.shift(timedelta(hours=24) - timedelta(seconds=1))
        assert api_client_of(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        assert note_count() == 1
        clock.shift(timedelta(seconds=2))
        assert api_client_of(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        assert note_count() == 2


def test_the_key_of_a_log_is_valid_for_30_days(owner: User, consignment: Consignment) -> None:
    log = {"consignment_id": consignment.pk, "length": 4, "breadth": 30, "height": 30}
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        for time_passed, logs in (
            (timedelta(0), 1),
            (timedelta(days=30) - timedelta(seconds=1), 1),
            (timedelta(seconds=1), 2),
        ):
            clock.shift(time_passed)
            for url, method in (
                ("/timba/log", "put"),
                (f"/api/consignments/{consignment.pk}/logs/", "post"),
            ):
                headers = {"Idempotency-Key": url}
                response = getattr(api_client_of(owner), method)(url, log, headers=headers)
                assert response.status_code == 201
            assert consignment.logs.count() == 2 * logs


def test_a_repeated_creation_of_a_client_gets_the_same_response(staff: User) -> None:
    api_client = api_client_of(staff)
    first = api_client.put("/timba/client", {"name": "New Ltd"}, headers=KEY)
    assert first.status_code == 201
    assert api_client.put("/timba/client", {"name": "New Ltd"}, headers=KEY).json() == first.json()
    assert_problem(api_client.put("/timba/client", {"name": "Other Ltd"}, headers=KEY), 409)


@pytest.mark.parametrize("key", ["", "x" * 256, "ā", "a\x7fb"])
def test_an_invalid_key_is_400(key: str, make_user: MakeUser) -> None:
    response = api_client_of(make_user()).post(NOTES, NOTE, headers={"Idempotency-Key": key})
    assert_problem(response, 400)
    assert note_count() == 0


def test_without_a_key_every_request_creates_a_row(api_client: APIClient) -> None:
    ids = {api_client.post(NOTES, NOTE).json()["id"] for _ in range(3)}
    assert len(ids) == 3
