"""A write that is sent twice happens once, whatever dies in between and whoever is quicker."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from timba.api import idempotency
from timba.api.models import IdempotentRequest
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.notes.models import Note

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(make_user: MakeUser, as_user: AsUser) -> APIClient:
    return as_user(make_user())


def note(program: APIClient, *, key: str = "once", title: str = "Lorry 7") -> Response:
    answer: Response = program.post(
        "/api/notes/", {"title": title, "content": ""}, headers={"Idempotency-Key": key}
    )
    return answer


def upload(program: APIClient, *files: SimpleUploadedFile, key: str = "once") -> Response:
    answer: Response = program.post(
        "/api/upload/", {"files": files}, format="multipart", headers={"Idempotency-Key": key}
    )
    return answer


def text(name: str, content: bytes = b"larch\n") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.mark.django_db(transaction=True)
def test_the_same_write_at_the_same_moment_happens_once(
    make_user: MakeUser, as_user: AsUser
) -> None:
    owner = make_user()
    ready = threading.Barrier(8)
    answers: list[Response] = []

    def send() -> None:
        try:
            program = as_user(owner)
            ready.wait()
            answers.append(note(program))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    created = [answer.json() for answer in answers if answer.status_code == 201]
    assert created
    assert all(answer == created[0] for answer in created)
    assert Note.unscoped.count() == 1
    assert note(as_user(owner)).json() == created[0]


@pytest.mark.django_db(transaction=True)
def test_the_effect_and_its_answer_are_committed_together(
    program: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two there is no moment to die at: what did not answer did not happen."""

    class PowerCut(BaseException):
        pass

    def cut(_: object) -> bytes:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "dumps", cut)
        with pytest.raises(PowerCut):
            note(program)
    assert not Note.unscoped.exists()
    assert not OutboxEvent.objects.exists()
    assert note(program).status_code == 201
    assert Note.unscoped.count() == 1


def test_a_request_that_died_is_taken_over_after_a_minute(program: APIClient) -> None:
    assert note(program).status_code == 201
    for seconds, status in ((30, 409), (61, 201)):
        IdempotentRequest.objects.update(
            response_status=None,
            response_body=None,
            created_at=timezone.now() - timedelta(seconds=seconds),
        )
        assert note(program).status_code == status
    assert Note.unscoped.count() == 2


def test_a_request_that_was_slow_and_was_taken_over_changes_nothing(
    program: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = idempotency.dumps

    def be_overtaken(value: object) -> bytes:
        IdempotentRequest.objects.update(created_at=timezone.now())
        return dumps(value)

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "dumps", be_overtaken)
        answer = note(program)
    assert answer.status_code == 409
    assert answer.json()["detail"] == ("Another request with this Idempotency-Key has taken over.")
    assert not Note.unscoped.exists()


def test_an_upload_sent_again_is_answered_and_leaves_no_second_file(program: APIClient) -> None:
    first = upload(program, text("a.txt"), text("empty.txt", b""))
    assert first.status_code == 202
    again = upload(program, text("a.txt"), text("empty.txt", b""))
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
def test_an_upload_of_anything_else_is_another_request(
    program: APIClient, other: list[SimpleUploadedFile]
) -> None:
    assert upload(program, text("a.txt"), text("empty.txt", b"")).status_code == 202
    answer = upload(program, *other)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "This Idempotency-Key was used for another request."
    assert File.unscoped.count() == 1


def test_keys_are_forgotten_after_a_day(program: APIClient) -> None:
    assert note(program).status_code == 201
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert note(program, title="Lorry 8").status_code == 201
    assert IdempotentRequest.objects.count() == 1
