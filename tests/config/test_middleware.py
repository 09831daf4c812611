"""A body is handled the same with and without a Content-Length, by every view that reads it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from orjson import loads
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from tests.factories import PASSWORD
from timba.accounts.models import User
from timba.accounts.tokens import issue_tokens
from timba.files.models import File
from timba.files.storage import store
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "multipart/form-data; boundary=XX"
Send = Callable[..., tuple[int, Any]]


class ChunkedInput(io.RawIOBase):
    """A body that is read in chunks of up to 50 kB."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def read(self, size: int = -1, /) -> bytes:
        return self._body.read(min(size, 50_000) if size >= 0 else 50_000)


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def send(owner: User) -> Send:
    """Return a function that sends requests without a Content-Length."""
    api_client = Client(headers={"authorization": f"Bearer {issue_tokens(user=owner).access}"})

    def call(
        method: str, path: str, body: bytes, content_type: str, **environ: Any
    ) -> tuple[int, Any]:
        response = api_client.generic(
            method,
            path,
            CONTENT_TYPE=content_type,
            **{"wsgi.input": ChunkedInput(body), "wsgi.input_terminated": True},
            **environ,
        )
        return response.status_code, loads(response.content) if response.content else None

    return call


def form(content: bytes, *, field: str = "file", name: str = "a.txt") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"--XX\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n--XX--\r\n"


def test_a_patch_is_applied(send: Send, owner: User) -> None:
    note = Note.objects.create(client=owner.client, title="Seal", content="before")
    body = b'{"content": "after"}'
    status, changed = send("PATCH", f"/api/notes/{note.pk}/", body, JSON)
    assert (status, changed["content"]) == (200, "after")
    # PEP 3333 allows an empty CONTENT_LENGTH as well as an absent one.
    status, changed = send("PATCH", f"/api/notes/{note.pk}/", b"{}", JSON, CONTENT_LENGTH="")
    assert (status, changed["content"]) == (200, "after")


@pytest.mark.parametrize(
    ("url", "field", "status"),
    [("/api/files/", "file", 201), ("/api/upload/", "files", 202)],
)
def test_an_upload_is_stored_completely(send: Send, url: str, field: str, status: int) -> None:
    content = b"larch and alder\n" * 200_000
    assert send("POST", url, form(content, field=field), FORM)[0] == status
    with store().open_bytes(File.unscoped.get().storage_key) as stored:
        assert stored.read() == content


def test_size_limits_apply(send: Send, settings: Settings) -> None:
    settings.TIMBA_MAX_UPLOAD_BYTES = 2 * 1024**2
    status, refusal = send("POST", "/api/files/", form(b"larch\n" * 400_000), FORM)
    sentence = "“a.txt” is too large: a file like this may have 2 MB."
    assert (status, refusal["detail"]) == (413, sentence)
    status, refusal = send("POST", "/api/notes/", b" " * (1024**2 + 1), JSON)
    assert (status, refusal["detail"]) == (413, "The body is larger than is accepted here.")
    assert not File.unscoped.exists()


def test_an_html_form_is_parsed(send: Send, owner: User) -> None:
    fields = f"username={owner.username}&password={PASSWORD}".encode()
    assert send("POST", "/login/", fields, "application/x-www-form-urlencoded")[0] == 302


def test_a_request_without_a_body_has_none(send: Send) -> None:
    assert send("GET", "/timba/users", b"", "")[0] == 200
    assert send("POST", "/api/files/retry-failed/", b"", "")[0] == 202
