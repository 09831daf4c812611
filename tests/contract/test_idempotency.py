"""“Everywhere”: a write that creates accepts `Idempotency-Key`, at every endpoint that creates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from rest_framework.test import APIClient

from tests.clients import api_client, call
from tests.conftest import AsUser, MakeUser
from tests.contract.answers import assert_problem
from tests.endpoints import API, READINGS, Endpoint
from tests.factories import Tenant, UserFactory
from tests.openapi import operation
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
OWNERS = [endpoint for endpoint in KEYED if endpoint.permission != "staff"]


def rows() -> dict[str, int]:
    """Count the rows of every table of Timba's."""
    models = [m for config in apps.get_app_configs() for m in config.get_models()]
    return {
        model._meta.label: model._base_manager.count()
        for model in models
        if model.__module__.startswith("timba.")
    }


def notes() -> int:
    """Count the notes that were made here."""
    return Note.unscoped.filter(title=NOTE["title"]).count()


def another(endpoint: Endpoint) -> dict[str, Any]:
    """Return a change of one field of the minimal body, or of the bytes of its file."""
    name = next(
        n for n in ("file", "files", "username", "title", "name", "length") if n in endpoint.body
    )
    if name.startswith("file"):
        return {name: SimpleUploadedFile("walked.csv", READINGS.replace(b"21.5", b"21.6"))}
    return {name: "7" if name == "length" else "Another"}


def test_every_write_that_creates_accepts_a_key() -> None:
    creating = [e for e in API if operation(e).get("responses", {}).keys() & {"201", "202"}]
    assert [e for e in creating if "retry" not in e.path] == KEYED


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_the_same_request_again_is_answered_alike_and_creates_nothing(
    endpoint: Endpoint, tenant: Tenant
) -> None:
    client = api_client(tenant.user)
    first = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.owner
    before = rows()
    again = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Content-Type"] == first["Content-Type"]
    assert rows() == before


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_the_same_key_with_anything_else_is_409(endpoint: Endpoint, tenant: Tenant) -> None:
    client = api_client(tenant.user)
    first = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.owner
    before = rows()
    query = {"client_id": tenant.client.pk}
    for other in ({"body": another(endpoint)}, {"query": query}):
        assert_problem(call(client, endpoint, tenant.ids, headers=KEY, **other), 409)
    assert rows() == before


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_without_a_response_nothing_has_happened(endpoint: Endpoint, tenant: Tenant) -> None:
    """An error between the change and its response leaves neither."""
    client = api_client(tenant.user)
    before = rows()

    def fail(point: str) -> None:
        if point == "idempotency.effect_written":
            raise OperationalError(1021, "Disk full")

    failpoints.set_hook(fail)
    try:
        assert_problem(call(client, endpoint, tenant.ids, headers=KEY, commit=True), 503)
    finally:
        failpoints.set_hook(None)
    assert rows() == before
    response = call(client, endpoint, tenant.ids, headers=KEY, commit=True)
    assert response.status_code == endpoint.owner


@pytest.mark.parametrize("endpoint", OWNERS, ids=str)
def test_another_users_key_is_another_key(endpoint: Endpoint, tenant: Tenant) -> None:
    first = call(api_client(tenant.user), endpoint, tenant.ids, headers=KEY, commit=True)
    assert first.status_code == endpoint.owner
    client = api_client(UserFactory(client=tenant.client))
    response = call(client, endpoint, tenant.ids, headers=KEY, body=another(endpoint))
    assert response.status_code == endpoint.owner


def test_at_another_endpoint_the_key_is_taken(program: APIClient, tenant: Tenant) -> None:
    assert program.post(NOTES, NOTE, headers=KEY).status_code == 201
    body = {"name": "Load", "type": "hardwood"}
    assert_problem(program.put("/timba/consignment", body, headers=KEY), 409)
    assert program.post(NOTES.rstrip("/"), NOTE, headers=KEY).status_code == 201
    assert notes() == 1


def test_the_order_of_fields_is_no_difference(program: APIClient) -> None:
    first = program.post(NOTES, NOTE, headers=KEY)
    again = program.post(NOTES, dict(reversed(NOTE.items())), headers=KEY)
    assert again.json() == first.json()


def test_while_the_first_is_in_flight_it_is_409(program: APIClient) -> None:
    program.post(NOTES, NOTE, headers=KEY)
    IdempotentRequest.objects.update(response_status=None, response_body=None)
    assert_problem(program.post(NOTES, NOTE, headers=KEY), 409)
    assert notes() == 1


def test_failures_are_not_remembered(program: APIClient) -> None:
    for _ in range(2):
        assert_problem(program.post(NOTES, {"title": ""}, headers=KEY), 400)
    assert_problem(program.post(NOTES, {"title": "x", "consignment_id": 7}, headers=KEY), 404)
    assert_problem(program.post("/api/upload/", {}, format="multipart", headers=KEY), 400)
    assert program.post(NOTES, NOTE, headers=KEY).status_code == 201


def test_a_key_is_remembered_for_24_hours(owner: User, as_user: AsUser) -> None:
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        assert as_user(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        clock.shift(timedelta(hours=24) - timedelta(seconds=1))
        assert as_user(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        assert notes() == 1
        clock.shift(timedelta(seconds=2))
        assert as_user(owner).post(NOTES, NOTE, headers=KEY).status_code == 201
        assert notes() == 2


def test_the_key_of_a_log_is_remembered_for_30_days(
    owner: User, as_user: AsUser, load: Consignment
) -> None:
    log = {"consignment_id": load.pk, "length": 4, "breadth": 30, "height": 30}
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        for time_passed, logs in (
            (timedelta(0), 1),
            (timedelta(days=30) - timedelta(seconds=1), 1),
            (timedelta(seconds=1), 2),
        ):
            clock.shift(time_passed)
            for address, method in (
                ("/timba/log", "put"),
                (f"/api/consignments/{load.pk}/logs/", "post"),
            ):
                headers = {"Idempotency-Key": address}
                answer = getattr(as_user(owner), method)(address, log, headers=headers)
                assert answer.status_code == 201
            assert load.logs.count() == 2 * logs


def test_staff_may_make_a_client_twice_with_one_key(staff: User, as_user: AsUser) -> None:
    program = as_user(staff)
    first = program.put("/timba/client", {"name": "New Ltd"}, headers=KEY)
    assert first.status_code == 201
    assert program.put("/timba/client", {"name": "New Ltd"}, headers=KEY).json() == first.json()
    assert_problem(program.put("/timba/client", {"name": "Other Ltd"}, headers=KEY), 409)


@pytest.mark.parametrize("key", ["", "x" * 256, "ā", "a\x7fb"])
def test_a_key_that_is_none_is_400(key: str, make_user: MakeUser, as_user: AsUser) -> None:
    answer = as_user(make_user()).post(NOTES, NOTE, headers={"Idempotency-Key": key})
    assert_problem(answer, 400)
    assert notes() == 0


def test_without_a_key_each_request_creates(program: APIClient) -> None:
    ids = {program.post(NOTES, NOTE).json()["id"] for _ in range(3)}
    assert len(ids) == 3
