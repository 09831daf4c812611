"""Downloads stream stored bytes, whole or in part, and close their file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import User
from timba.api.downloads import _parse_range
from timba.files.models import Derivative, File
from timba.files.receiving import Upload, accept_files
from timba.files.storage import store

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

CONTENT = ("Lärche, 12 Stämme\n" * 40_000).encode()
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
SIZE = len(CONTENT)


@pytest.fixture
def owner(make_user) -> User:
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


@pytest.fixture
def file(owner: User) -> File:
    """Return a text file of several chunks."""
    upload = Upload(name="Größe “12”.txt")
    upload.write(CONTENT)
    upload.finish()
    upload.identify()
    assert owner.client is not None
    [accepted] = accept_files(actor=owner, client=owner.client, uploads=[upload])
    return accepted.file


def get(api_client: APIClient, file: File, **headers: str) -> Response:
    response: Response = api_client.get(f"/api/files/{file.pk}/content/", headers=headers)
    return response


def open_files() -> set[str]:
    descriptors = Path("/proc/self/fd")
    return {str(path.readlink()) for path in descriptors.iterdir() if path.is_symlink()}


def test_whole_file_has_its_digest(api_client: APIClient, file: File) -> None:
    response = get(api_client, file)
    assert (response.status_code, response["Content-Length"]) == (200, str(SIZE))
    assert response.streaming
    assert response.getvalue() == CONTENT
    assert response["Content-Type"] == "text/plain"
    assert response["ETag"] == ETAG
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert response["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response["Content-Disposition"] == (
        "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe%20%E2%80%9C12%E2%80%9D.txt"
    )


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (ETAG, True),
        (f"W/{ETAG}", True),
        (f'"another", {ETAG}', True),
        ("*", True),
        ('"another"', False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_matching_etag_gives_304(
    api_client: APIClient, file: File, header: str, known: bool
) -> None:
    response = get(api_client, file, If_None_Match=header)
    assert (response.status_code, response["ETag"]) == (304 if known else 200, ETAG)
    assert known or response.getvalue() == CONTENT


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(100)),
        ("bytes=10-19", range(10, 20)),
        ("bytes=99-99", range(99, 100)),
        ("bytes=90-1000", range(90, 100)),
        ("bytes=-1", range(99, 100)),
        ("bytes=-1000", range(100)),
        # There are none of these bytes.
        ("bytes=100-", range(100, 100)),
        ("bytes=100-200", range(100, 100)),
        ("bytes=-0", range(100, 100)),
        # These ask for no one range: the whole is answered (RFC 9110, 14.2).
        ("", None),
        ("bytes=-", None),
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
        (f"bytes={'9' * 30}-", None),
    ],
)
def test_range_header_is_parsed(header: str, part: range | None) -> None:
    assert (_parse_range(header, 100) or None) == (part or None)
    assert (_parse_range(header, 100) is None) is (part is None)


def test_range_gives_206(api_client: APIClient, file: File) -> None:
    response = get(api_client, file, Range="bytes=300000-599999")
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes 300000-599999/{SIZE}"
    assert response["Content-Length"] == "300000"
    assert "Repr-Digest" not in response
    assert response.getvalue() == CONTENT[300_000:600_000]


def test_unsatisfiable_range_is_416(api_client: APIClient, file: File) -> None:
    response = get(api_client, file, Range=f"bytes={SIZE}-")
    assert (response.status_code, response["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert response.json()["detail"] == f"There are no such bytes: the file has {SIZE}."


@pytest.mark.parametrize(("if_range", "status"), [(ETAG, 206), ('"another"', 200)])
def test_if_range_of_other_content_gives_the_whole_file(
    api_client: APIClient, file: File, if_range: str, status: int
) -> None:
    response = get(api_client, file, Range="bytes=0-9", If_Range=if_range)
    assert response.status_code == status
    assert len(response.getvalue()) == (10 if status == 206 else SIZE)


@pytest.mark.django_db(transaction=True)
def test_stored_file_is_closed_even_if_the_response_is_not_read(
    api_client: APIClient, file: File
) -> None:
    stored = str(store()._final(file.storage_key))
    response = get(api_client, file)
    assert stored in open_files()
    next(iter(response))
    response.close()
    assert stored not in open_files()
    api_client.head(f"/api/files/{file.pk}/content/").close()
    assert stored not in open_files()


def test_unavailable_bytes_are_503(api_client: APIClient, file: File) -> None:
    store().delete(file.storage_key)
    response = get(api_client, file)
    assert response.status_code == 503
    assert response.json()["detail"].endswith("Try again in a moment.")


def test_rejects_are_those_of_the_current_run(api_client: APIClient, owner: User) -> None:
    file = settle_readings("7,1,2026-01-01T00:00Z\nbark\n", actor=owner)
    url = f"/api/files/{file.pk}/rejects/"
    assert api_client.get(url).getvalue().startswith(b"line,reason,text\r\n2,")
    Derivative.objects.create(file=file, run=99, role="rejects", storage_key="not there")
    assert api_client.get(url).getvalue().startswith(b"line,reason,text\r\n2,")
    File.unscoped.update(run=None)
    assert api_client.get(url).getvalue() == b"line,reason,text\r\n"
