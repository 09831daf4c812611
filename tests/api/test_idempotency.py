"""A request with an `Idempotency-Key` is executed once, whatever crashes or races."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import NoReturn

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.threads import at_once
from timba import failpoints
from timba.accounts.models import Client
from timba.api.models import IdempotentRequest
from timba.consignments.models import Consignment
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.storage import store
from timba.files.sweeping import sweep_files
from timba.notes.models import Note

pytestmark = pytest.mark.django_db


@pytest.fixture
def api_client(make_user: MakeUser) -> APIClient:
    return api_client_of(make_user())


def note(api_client: APIClient, *, key: str = "once", title: str = "Lorry 7") -> Response:
    response: Response = api_client.post(
        "/api/notes/", {"title": title, "content": ""}, headers={"Idempotency-Key": key}
    )
    return response


def upload(api_client: APIClient, *files: SimpleUploadedFile, key: str = "once") -> Response:
    response: Response = api_client.post(
        "/api/upload/", {"files": files}, format="multipart", headers={"Idempotency-Key": key}
    )
    return response


class PowerCut(BaseException):
    """Ends the process between two steps."""


def failing_once(point: str, failure: BaseException) -> AbstractContextManager[None]:
    """Make the first request that reaches a failpoint fail there."""

    def fail() -> NoReturn:
        raise failure

    return once(point, fail)


@contextmanager
def once(point: str, act: Callable[[], object]) -> Iterator[None]:
    """Act when the first request reaches a failpoint."""
    pending = [act]

    def reached(name: str) -> None:
        if name == point and pending:
            pending.pop()()

    failpoints.set_hook(reached)
    try:
        yield
    finally:
        failpoints.set_hook(None)
    assert not pending


def text(name: str, content: bytes = b"larch\n") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.mark.django_db(transaction=True)
def test_concurrent_duplicates_are_executed_once(make_user: MakeUser) -> None:
    owner = make_user()
    api_clients = [api_client_of(owner) for _ in range(8)]
    responses = at_once(8, lambda number: note(api_clients[number]))
    [created] = Note.unscoped.all()
    assert OutboxEvent.objects.count() == 1
    first = note(api_client_of(owner)).json()
    assert first["id"] == created.pk
    in_flight = "The first request with this Idempotency-Key is still in flight."
    for response in responses:
        if response.status_code == 201:
            assert response.json() == first
        else:
            assert (response.status_code, response.json()["detail"]) == (409, in_flight)


@pytest.mark.django_db(transaction=True)
def test_change_and_response_are_committed_together(
    api_client: APIClient,
) -> None:
    """A crash cannot come between them: without a response, nothing was changed."""

    with failing_once("idempotency.effect_written", PowerCut()), pytest.raises(PowerCut):
        note(api_client)
    assert not Note.unscoped.exists()
    assert not OutboxEvent.objects.exists()
    assert note(api_client).status_code == 201
    assert Note.unscoped.count() == 1


def test_crashed_request_can_be_repeated_after_a_minute(api_client: APIClient) -> None:
    assert note(api_client).status_code == 201
    for seconds, status in ((30, 409), (61, 201)):
        IdempotentRequest.objects.update(
            response_status=None,
            response_body=None,
            created_at=timezone.now() - timedelta(seconds=seconds),
        )
        assert note(api_client).status_code == status
    assert Note.unscoped.count() == 2


def test_slow_request_that_was_replaced_changes_nothing(api_client: APIClient) -> None:
    def be_overtaken() -> None:
        IdempotentRequest.objects.update(created_at=timezone.now())

    with once("idempotency.effect_written", be_overtaken):
        response = note(api_client)
    assert response.status_code == 409
    assert response.json()["detail"] == (
        "Another request with this Idempotency-Key has taken over."
    )
    assert not Note.unscoped.exists()


def test_repeated_upload_creates_no_second_file(api_client: APIClient) -> None:
    first = upload(api_client, text("a.txt"), text("empty.txt", b""))
    assert first.status_code == 202
    again = upload(api_client, text("a.txt"), text("empty.txt", b""))
    assert (again.status_code, again.json()) == (202, first.json())
    assert File.unscoped.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        [text("a.txt", b"alder\n"), text("empty.txt", b"")],
        [text("a.txt"), text("too.txt", b"")],
        [text("a.txt")],
        [text("a.txt"), text("empty.txt", b""), text("control\x7f.txt")],
    ],
    ids=["other bytes", "another refusal", "no refusal", "one more refusal"],
)
def test_same_key_with_another_upload_is_a_conflict(
    api_client: APIClient, other: list[SimpleUploadedFile]
) -> None:
    assert upload(api_client, text("a.txt"), text("empty.txt", b"")).status_code == 202
    response = upload(api_client, *other)
    assert response.status_code == 409
    assert response.json()["detail"] == "This Idempotency-Key was used for another request."
    assert File.unscoped.count() == 1


def test_sweeper_deletes_expired_keys_of_all_users(
    make_user: MakeUser, client_company: Client
) -> None:
    load = Consignment.objects.create(client=client_company, name="Load", type="hardwood")
    log = {"length": 4, "breadth": 30, "height": 30}
    logs = f"/api/consignments/{load.pk}/logs/"
    with time_machine.travel("2026-03-02T08:00:00Z", tick=False) as clock:
        api_client = api_client_of(make_user())
        assert note(api_client).status_code == 201
        assert note(api_client_of(make_user())).status_code == 201
        assert api_client.post(logs, log, headers={"Idempotency-Key": "log"}).status_code == 201
        for time_passed, left in (
            (timedelta(hours=24) - timedelta(seconds=1), {"once", "log"}),
            (timedelta(seconds=1), {"log"}),
            (timedelta(days=29) - timedelta(seconds=1), {"log"}),
            (timedelta(seconds=1), set()),
        ):
            clock.shift(time_passed)
            sweep_files()
            assert set(IdempotentRequest.objects.values_list("key", flat=True)) == left


def test_fingerprint_is_keyed_and_excludes_secrets(
    api_client: APIClient, settings: Settings
) -> None:
    """A reader of the table cannot use it to guess passwords."""
    person = {"username": "ilze", "name": "Ilze", "role": "viewer", "password": "spruce-bark-7731"}
    headers = {"Idempotency-Key": "once"}
    first = api_client.post("/api/users/", person, headers=headers)
    other = {**person, "password": "birch-bark-1377"}
    again = api_client.post("/api/users/", other, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    settings.SECRET_KEY = "another key, as long as every check asks it to be"
    response = api_client.post("/api/users/", person, headers=headers)
    assert response.json()["detail"] == "This Idempotency-Key was used for another request."


@pytest.mark.django_db(transaction=True)
def test_upload_is_retried_after_a_deadlock_without_its_body(
    api_client: APIClient,
) -> None:
    deadlock = OperationalError(1213, "Deadlock found when trying to get lock")
    with failing_once("idempotency.effect_written", deadlock):
        response = upload(api_client, text("a.txt"))
    assert response.status_code == 202
    file = File.unscoped.get()
    assert (file.status, str(file.pk)) == ("PENDING", response.json()["files"][0]["file_id"])
    with store().open_bytes(file.storage_key) as stored:
        assert stored.read() == b"larch\n"


@pytest.mark.django_db(transaction=True)
def test_commit_with_a_lost_response_is_not_repeated(
    api_client: APIClient,
) -> None:
    broken = OperationalError(2013, "Lost connection to server during query")
    with failing_once("idempotency.response_committed", broken):
        assert note(api_client).status_code == 503
    assert note(api_client).status_code == 201
    assert Note.unscoped.count() == 1
