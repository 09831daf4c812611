"""The web server as it is started: slow callers keep nobody waiting, and no body is lost or cut."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from http import HTTPStatus

import pytest
import requests

from tests.journeys.timba_process import Program, TimbaProcess

pytestmark = pytest.mark.journey

SLOW_BODY = (
    b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@pytest.fixture
def note(manager: Program) -> str:
    note = manager.post("/api/notes/", json={"title": "Seal", "content": "88412"}).json()
    return f"/api/notes/{note['id']}/"


def connect(timba: TimbaProcess, request: bytes, *, source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", timba.port), timeout=60, source_address=(source, 0)
    )
    connection.sendall(request)
    return connection


def test_slow_bodies_keep_nobody_waiting(timba: TimbaProcess, manager: Program) -> None:
    with ExitStack() as slow:
        for number in range(100):
            # Of two addresses, so that more bodies are waited for than there are threads.
            source = f"127.0.0.{2 + number % 2}"
            slow.enter_context(connect(timba, SLOW_BODY, source=source))
        assert requests.get(f"{timba.url}/health/live", timeout=20).status_code == HTTPStatus.OK
        assert manager.get("/api/notes/", timeout=20).status_code == HTTPStatus.OK
        signed_in = timba.sign_in("ilze", timba.password_of("ilze"))
        sent = signed_in.post("/api/files/", files={"file": ("load.txt", b"larch\n" * 100_000)})
        assert sent.status_code == HTTPStatus.CREATED


def test_who_does_not_read_keeps_nobody_waiting(timba: TimbaProcess, manager: Program) -> None:
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


def test_a_chunked_body_means_the_same_as_one_with_a_length(manager: Program, note: str) -> None:
    change = json.dumps({"content": "88413"}).encode()
    chunks = (change[at : at + 5] for at in range(0, len(change), 5))
    headers = {"Content-Type": "application/json"}
    assert manager.request("PATCH", note, data=chunks, headers=headers).json()["content"] == "88413"


def test_a_chunked_body_that_breaks_off_changes_nothing(
    timba: TimbaProcess, manager: Program, note: str
) -> None:
    body = b'{"content": "88413"}'
    request = (
        f"PATCH {note} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {manager.authorization}\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(body):x}\r\n"
    ).encode()
    with connect(timba, request + body + b"\r\n") as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The body broke off before its end. Send it again." in answer
    assert manager.get(note).json()["content"] == "88412"


def test_an_answer_that_leaves_a_little_unread_keeps_the_connection(timba: TimbaProcess) -> None:
    head = b"POST /nowhere/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 800000\r\n\r\n"
    with connect(timba, head + b"a" * 300_000) as connection:
        for _ in range(10):
            time.sleep(0.05)
            connection.sendall(b"a" * 50_000)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answers = b""
        while b'{"status":"ok"}' not in answers:
            answers += connection.recv(4096)
        assert answers.startswith(b"HTTP/1.1 404 ")
        assert b"HTTP/1.1 200 OK" in answers


def test_a_large_body_of_a_stranger_is_answered_before_it_has_come(timba: TimbaProcess) -> None:
    head = b"POST /api/files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000000\r\n\r\n"
    with connect(timba, head + b"a" * 400_000) as connection:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in answer


def test_a_connection_without_headers_is_closed(timba: TimbaProcess) -> None:
    with connect(timba, b"") as connection:
        assert connection.recv(1) == b""
