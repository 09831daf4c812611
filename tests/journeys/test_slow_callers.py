"""The web server: slow clients delay no other request, and no body is lost or truncated."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from http import HTTPStatus

import pytest
import requests

from tests.journeys.timba_process import ApiClient, TimbaProcess

pytestmark = pytest.mark.journey

SLOW_BODY = (
    b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@pytest.fixture
def note(manager: ApiClient) -> str:
    note = manager.post("/api/notes/", json={"title": "Seal", "content": "88412"}).json()
    return f"/api/notes/{note['id']}/"


def connect(timba: TimbaProcess, request: bytes, *, source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", timba.port), timeout=60, source_address=(source, 0)
    )
    connection.sendall(request)
    return connection


def test_slow_request_bodies_delay_no_other_request(
    timba: TimbaProcess, manager: ApiClient
) -> None:
    with ExitStack() as slow:
        for number in range(100):
            # Two addresses, so that more bodies are awaited than there are threads.
            source = f"127.0.0.{2 + number % 2}"
            slow.enter_context(connect(timba, SLOW_BODY, source=source))
        assert requests.get(f"{timba.url}/health/live", timeout=20).status_code == HTTPStatus.OK
        assert manager.get("/api/notes/", timeout=20).status_code == HTTPStatus.OK
        signed_in = timba.sign_in("ilze", timba.password_of("ilze"))
        upload = signed_in.post("/api/files/", files={"file": ("load.txt", b"larch\n" * 100_000)})
        assert upload.status_code == HTTPStatus.CREATED


def test_slow_readers_delay_no_other_request(timba: TimbaProcess, manager: ApiClient) -> None:
    file = manager.post("/api/files/", files={"file": ("load.txt", b"larch\n" * 4_000_000)}).json()
    request = (
        f"GET /api/files/{file['id']}/content/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {manager.authorization}\r\n\r\n"
    ).encode()
    with ExitStack() as readers:
        for _ in range(40):
            reader = readers.enter_context(connect(timba, request))
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
        assert requests.get(f"{timba.url}/health/live", timeout=20).status_code == HTTPStatus.OK


def test_a_chunked_body_is_equivalent_to_one_with_a_length(manager: ApiClient, note: str) -> None:
    change = json.dumps({"content": "88413"}).encode()
    chunks = (change[at : at + 5] for at in range(0, len(change), 5))
    headers = {"Content-Type": "application/json"}
    assert manager.request("PATCH", note, data=chunks, headers=headers).json()["content"] == "88413"


def test_a_truncated_chunked_body_changes_nothing(
    timba: TimbaProcess, manager: ApiClient, note: str
) -> None:
    body = b'{"content": "88413"}'
    request = (
        f"PATCH {note} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {manager.authorization}\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(body):x}\r\n"
    ).encode()
    with connect(timba, request + body + b"\r\n") as connection:
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(4096), b""))
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"The body broke off before its end. Send it again." in response
    assert manager.get(note).json()["content"] == "88412"


def test_a_response_before_the_end_of_a_small_body_keeps_the_connection(
    timba: TimbaProcess,
) -> None:
    head = b"POST /nowhere/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 800000\r\n\r\n"
    with connect(timba, head + b"a" * 300_000) as connection:
        for _ in range(10):
            time.sleep(0.05)
            connection.sendall(b"a" * 50_000)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        responses = b""
        while b'{"status":"ok"}' not in responses:
            responses += connection.recv(4096)
        assert responses.startswith(b"HTTP/1.1 404 ")
        assert b"HTTP/1.1 200 OK" in responses


def test_an_anonymous_upload_is_rejected_before_its_large_body_is_received(
    timba: TimbaProcess,
) -> None:
    head = b"POST /api/files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000000\r\n\r\n"
    with connect(timba, head + b"a" * 400_000) as connection:
        response = b""
        while b"\r\n\r\n" not in response:
            response += connection.recv(4096)
        assert response.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in response


def test_a_connection_without_headers_is_closed(timba: TimbaProcess) -> None:
    with connect(timba, b"") as connection:
        assert connection.recv(1) == b""
