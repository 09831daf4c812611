"""“Everywhere”: a write that creates accepts `Idempotency-Key`, at every door that creates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from rest_framework.test import APIClient

from tests.callers import Caller, caller
from tests.conftest import AsUser, MakeUser
from tests.contract.answers import assert_problem
from tests.contract.every import DOCUMENTED, KEYED, STAFFS, named
from tests.doors import READINGS, Door
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
OWNERS = [call for call in KEYED if (call[0].route, call[1]) not in STAFFS]


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


def another(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body that differs in one field, or in the bytes of its file."""
    for name in ("file", "files"):
        if name in body:
            other = SimpleUploadedFile("walked.csv", READINGS.replace(b"21.5", b"21.6"))
            return {name: other if name == "file" else [other]}
    name = "title" if "title" in body else "length" if "length" in body else "name"
    return {name: "7" if name == "length" else "Another"}


@pytest.fixture
def good(door: Door, method: str, tenant: Tenant) -> Caller:
    """Return the sawmill's owner at the door that the test is about."""
    return caller(door, method, user=tenant.user, tenant=tenant)


def test_every_write_that_creates_accepts_a_key() -> None:
    creating = {
        (door.route, method)
        for door, method in DOCUMENTED
        if door.operation(method)["responses"].keys() & {"201", "202"}  # type: ignore[index]
    }
    retries = {("api/files/retry-failed/", "POST"), ("api/files/<uuid:pk>/retry/", "POST")}
    assert creating - retries == {(door.route, method) for door, method in KEYED}


@pytest.mark.parametrize(("door", "method"), named(OWNERS))
def test_the_same_request_again_is_answered_alike_and_creates_nothing(
    door: Door, method: str, good: Caller
) -> None:
    first = good.ask(headers=KEY, keep=True)
    assert first.status_code in {201, 202}
    before = rows()
    again = good.ask(headers=KEY, keep=True)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Content-Type"] == first["Content-Type"]
    assert rows() == before


@pytest.mark.parametrize(("door", "method"), named(OWNERS))
def test_the_same_key_with_anything_else_is_409(door: Door, method: str, good: Caller) -> None:
    assert good.ask(headers=KEY, keep=True).status_code in {201, 202}
    before = rows()
    assert_problem(good.ask(headers=KEY, body=another(good.body())), 409)
    assert_problem(good.ask(headers=KEY, query={"client_id": good.tenant.client.pk}), 409)
    assert rows() == before


@pytest.mark.parametrize(("door", "method"), named(OWNERS))
def test_what_was_not_answered_has_not_happened(door: Door, method: str, good: Caller) -> None:
    """What fails between the change and its answer leaves neither, at every address."""
    before = rows()

    def fail(point: str) -> None:
        if point == "idempotency.effect_written":
            raise OperationalError(1021, "Disk full")

    failpoints.set_hook(fail)
    try:
        assert_problem(good.ask(headers=KEY, keep=True), 503)
    finally:
        failpoints.set_hook(None)
    assert rows() == before
    assert good.ask(headers=KEY, keep=True).status_code in {201, 202}


@pytest.mark.parametrize(("door", "method"), named(OWNERS))
def test_another_users_key_is_another_key(door: Door, method: str, good: Caller) -> None:
    assert good.ask(headers=KEY, keep=True).status_code in {201, 202}
    colleague = UserFactory(client=good.tenant.client, username="colleague")
    said = caller(door, method, user=colleague, tenant=good.tenant).ask(
        headers=KEY, body=another(good.body())
    )
    # Where the name or the barcode is taken it is so for its own reason.
    assert said.status_code in {201, 202, 409}
    if said.status_code == 409:
        assert b"Idempotency-Key" not in said.content


def test_at_another_door_the_key_is_taken(program: APIClient, tenant: Tenant) -> None:
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
