"""The adapter gives the WSGI application whole requests, and slow callers none of its threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.asgi import Caller, call
from timba.runtime import request_body, response_writer, wsgi_adapter
from timba.runtime.wsgi_adapter import REFUSAL, Environ, WSGIAdapter


class Application:
    """A WSGI application that reads as much of the body as it is told, and notes what it saw."""

    def __init__(self, *, reads: int = -1) -> None:
        self.environ: Environ = {}
        self.read: list[bytes] = []
        self._reads = reads

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = environ
        if REFUSAL in environ:
            start_response("503 Service Unavailable", [])
            return [str(environ[REFUSAL]).encode()]
        self.read.append(environ["wsgi.input"].read(self._reads))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"lar", b"ch"]


def serve(application: Any, *callers: Caller, threads: int = 4, **options: Any) -> None:
    options["address_of"] = lambda environ: environ["REMOTE_ADDR"]
    adapter = WSGIAdapter(application, threads=threads, **options)

    call(adapter, *callers)


def test_a_chunked_body_is_read_with_its_length() -> None:
    application, caller = Application(), Caller(b"ab", b"", b"cd", transfer_encoding="chunked")
    serve(application, caller)
    assert application.read == [b"abcd"]
    assert application.environ["CONTENT_LENGTH"] == "4"
    assert "HTTP_TRANSFER_ENCODING" not in application.environ
    assert (caller.status, caller.content) == (HTTPStatus.OK, b"larch")


def test_a_large_chunked_body_is_read_to_its_end() -> None:
    application = Application()
    pieces = [bytes([number]) * 100_000 for number in range(30)]
    serve(application, Caller(*pieces, transfer_encoding="chunked"))
    assert application.read == [b"".join(pieces)]
    assert "CONTENT_LENGTH" not in application.environ
    assert application.environ["wsgi.input_terminated"] is True


def test_the_environ_tells_the_request_and_nothing_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIMBA_SECRET_KEY", "larch")
    application = Application()
    caller = Caller(cookie="a=1", x_note="1")
    caller.scope["headers"] += [(b"cookie", b"b=2"), (b"x_note", b"2"), (b"x-note", b"\xe9")]
    serve(application, caller)
    environ = {name: value for name, value in application.environ.items() if "wsgi." not in name}
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b/Ã©ÿ",
        "QUERY_STRING": "q=%20",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_NOTE": "1,é",
        "CONTENT_LENGTH": "0",
    }


def test_a_body_that_stands_still_reaches_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.05)
    application, slow = Application(), Caller(b"ab", whole=False, content_length="1000")
    serve(application, slow)
    assert application.read == []
    assert slow.content == b"The body came too slowly: send at least 1 kB a second."
    assert slow.headers[b"connection"] == b"close"


def test_an_upload_that_stands_still_is_refused_whatever_the_application_made_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.05)
    failures = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if REFUSAL not in environ:
            try:
                environ["wsgi.input"].read()
            except OSError as failure:
                failures.append(type(failure))
        start_response("400 Bad Request", [])
        return [str(environ.get(REFUSAL)).encode()]

    slow = Caller(b"a" * 300_000, whole=False, content_length="1000000")
    serve(application, slow)
    assert failures == [request_body.BodyTooSlow]
    assert slow.content == b"The body came too slowly: send at least 1 kB a second."


def test_uploads_take_half_of_the_threads_and_one_address_a_quarter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "SLOT_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 1)
    callers = [Caller(b"a" * 300_000, whole=False, content_length="1000000") for _ in range(8)]
    for number, caller in enumerate(callers):
        caller.scope["client"] = (f"192.0.2.{number // 3}", "1234")
    serve(Application(), *callers, threads=8)
    busy = b"Too many uploads are arriving just now. Try again in a moment."
    # Two of the first address and two of the second; nothing is left for the third.
    assert [caller.content == busy for caller in callers] == [
        *(False, False, True),
        *(False, False, True),
        *(True, True),
    ]


def test_small_bodies_that_are_slow_keep_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "SLOT_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.5)
    monkeypatch.setattr(wsgi_adapter, "_BODIES", 1)
    monkeypatch.setattr(wsgi_adapter, "_BODIES_PER_ADDRESS", 1)
    slow = [Caller(b"{", whole=False, content_length="1000") for _ in range(40)]
    honest = Caller(b"a" * 100_000, content_length="100000")
    serve(Application(), *slow, honest)
    assert honest.content == b"larch"
    assert {one.content for one in slow} == {
        b"The body came too slowly: send at least 1 kB a second."
    }


def test_a_large_body_is_refused_where_it_is_not_known_who_sends_it() -> None:
    application, caller = (
        Application(),
        Caller(b"a" * 300_000, whole=False, content_length="9999999"),
    )
    serve(application, caller, is_public=lambda environ: environ["PATH_INFO"] == "/a/b/Ã©ÿ")
    assert caller.content == b"The body is larger than is accepted here."
    assert application.read == []


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "chunked, chunked"])
def test_another_transfer_coding_than_chunked_is_refused(coding: str) -> None:
    application, caller = Application(), Caller(b"ab", transfer_encoding=coding)
    serve(application, caller)
    assert caller.content == b"The body's transfer coding is not supported: only chunked is."
    assert application.read == []


def test_an_answer_before_the_end_of_a_body_keeps_the_connection_where_little_is_left() -> None:
    caller = Caller(*[b"a" * 100_000] * 10, content_length="1000000")
    serve(Application(reads=1), caller)
    assert caller.status == HTTPStatus.OK
    assert b"connection" not in caller.headers
    assert caller.has_sent_all


def test_an_answer_before_the_end_of_a_large_body_closes_the_connection() -> None:
    caller = Caller(*[b"a" * 100_000] * 40, content_length="4000000")
    serve(Application(reads=1), caller)
    assert caller.headers[b"connection"] == b"close"
    # With the last byte the server closes, so that it is held back while the caller still sends.
    assert [message["body"] for message in caller.sent[1:]] == [b"larc", b"h"]
    assert caller.has_sent_all


class Stream:
    """An answer made piece by piece, as Django's StreamingHttpResponse is."""

    streaming = True

    def __init__(self) -> None:
        self.made = 0
        self.is_closed = False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Stream:
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(100):
            self.made += 1
            yield b"larch"

    def close(self) -> None:
        self.is_closed = True


def test_pieces_are_sent_as_they_are_made_and_closed_at_the_end() -> None:
    stream, caller = Stream(), Caller()
    serve(stream, caller)
    assert caller.content == b"larch" * 100
    assert stream.is_closed


def test_no_piece_is_made_for_head() -> None:
    stream, caller = Stream(), Caller()
    caller.scope["method"] = "HEAD"
    serve(stream, caller)
    assert (stream.made, stream.is_closed, caller.content) == (0, True, b"")


def test_a_reader_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_writer, "_SEND_SECONDS", 0.05)
    aborted = []
    monkeypatch.setattr(response_writer.ResponseWriter, "abort", lambda _: aborted.append(True))
    stream, caller = Stream(), Caller()

    async def send(message: dict[str, Any]) -> None:
        caller.sent.append(message)
        if len(caller.sent) == 3:
            await asyncio.Event().wait()

    caller.send = send  # type: ignore[method-assign]
    serve(stream, caller)
    assert (stream.made, stream.is_closed, aborted) == (2, True, [True])
