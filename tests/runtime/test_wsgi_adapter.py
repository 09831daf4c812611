"""The adapter passes complete requests to the WSGI application; slow callers get no thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import pytest

from timba.runtime import request_body, response_writer, wsgi_adapter
from timba.runtime.wsgi_adapter import BODY_ERROR, Environ, WSGIAdapter


class AsgiRequest:
    """A POST request whose body is sent in chunks, and the messages of its response.

    After the last chunk, `receive` blocks. With `is_complete=False` the body stays incomplete.
    """

    def __init__(self, *chunks: bytes, is_complete: bool = True, **headers: str) -> None:
        self._chunks = list(chunks)
        self._is_complete = is_complete
        self.messages: list[dict[str, Any]] = []
        self.scope = {
            "type": "http",
            "method": "POST",
            "http_version": "1.1",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/a%2Fb/%C3%A9%ff",
            "query_string": b"q=%20",
            "client": ("192.0.2.1", "1234"),
            "server": ("127.0.0.1", "8000"),
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }

    async def receive(self) -> dict[str, Any]:
        if not self._chunks:
            await asyncio.Event().wait()
        body = self._chunks.pop(0)
        more = bool(self._chunks) or not self._is_complete
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def content(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def is_sent(self) -> bool:
        return not self._chunks


def send_all(application: Any, *requests: AsgiRequest) -> None:
    """Send the requests concurrently; return when the application has handled each."""

    async def run() -> None:
        await asyncio.gather(*(application(r.scope, r.receive, r.send) for r in requests))

    asyncio.run(run())


class Application:
    """A WSGI application that reads up to `reads` bytes of the body, and records what it got."""

    def __init__(self, *, reads: int = -1) -> None:
        self.environ: Environ = {}
        self.read: list[bytes] = []
        self._reads = reads

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = environ
        if BODY_ERROR in environ:
            start_response("503 Service Unavailable", [])
            return [str(environ[BODY_ERROR]).encode()]
        self.read.append(environ["wsgi.input"].read(self._reads))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"lar", b"ch"]


def serve(application: Any, *requests: AsgiRequest, threads: int = 4, **options: Any) -> None:
    options["address_of"] = lambda environ: environ["REMOTE_ADDR"]
    adapter = WSGIAdapter(application, threads=threads, **options)

    send_all(adapter, *requests)


def test_a_chunked_body_is_read_with_its_length() -> None:
    application, request = (
        Application(),
        AsgiRequest(b"ab", b"", b"cd", transfer_encoding="chunked"),
    )
    serve(application, request)
    assert application.read == [b"abcd"]
    assert application.environ["CONTENT_LENGTH"] == "4"
    assert "HTTP_TRANSFER_ENCODING" not in application.environ
    assert (request.status, request.content) == (HTTPStatus.OK, b"larch")


def test_a_large_chunked_body_is_read_to_its_end() -> None:
    application = Application()
    chunks = [bytes([number]) * 100_000 for number in range(30)]
    serve(application, AsgiRequest(*chunks, transfer_encoding="chunked"))
    assert application.read == [b"".join(chunks)]
    assert "CONTENT_LENGTH" not in application.environ
    assert application.environ["wsgi.input_terminated"] is True


def test_the_environ_contains_the_request_but_no_process_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIMBA_SECRET_KEY", "larch")
    application = Application()
    request = AsgiRequest(cookie="a=1", x_note="1")
    request.scope["headers"] += [(b"cookie", b"b=2"), (b"x_note", b"2"), (b"x-note", b"\xe9")]
    serve(application, request)
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


def test_a_stalled_body_reaches_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.05)
    application, slow = Application(), AsgiRequest(b"ab", is_complete=False, content_length="1000")
    serve(application, slow)
    assert application.read == []
    assert slow.content == b"The body came too slowly: send at least 1 kB a second."
    assert slow.headers[b"connection"] == b"close"


def test_a_stalled_upload_is_refused_whatever_the_application_responds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.05)
    failures = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if BODY_ERROR not in environ:
            try:
                environ["wsgi.input"].read()
            except OSError as failure:
                failures.append(type(failure))
        start_response("400 Bad Request", [])
        return [str(environ.get(BODY_ERROR)).encode()]

    slow = AsgiRequest(b"a" * 300_000, is_complete=False, content_length="1000000")
    serve(application, slow)
    assert failures == [request_body.BodyTooSlow]
    assert slow.content == b"The body came too slowly: send at least 1 kB a second."


def test_what_arrived_of_a_small_body_is_kept_where_it_is_resumable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.05)
    read: list[object] = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if BODY_ERROR not in environ:
            body = environ["wsgi.input"]
            read.append(body.read(2))
            try:
                body.read(1)
            except OSError as failure:
                read.append(type(failure))
        start_response("400 Bad Request", [])
        return [str(environ.get(BODY_ERROR)).encode()]

    slow = AsgiRequest(b"ab", is_complete=False, content_length="1000")
    serve(application, slow, keeps_beginnings=lambda environ: environ["PATH_INFO"][:2] == "/a")
    assert read == [b"ab", request_body.BodyTooSlow]
    assert slow.content == b"The body came too slowly: send at least 1 kB a second."


def test_uploads_take_half_of_the_threads_and_one_address_a_quarter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "SLOT_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 1)
    requests = [
        AsgiRequest(b"a" * 300_000, is_complete=False, content_length="1000000") for _ in range(8)
    ]
    for number, request in enumerate(requests):
        request.scope["client"] = (f"192.0.2.{number // 3}", "1234")
    serve(Application(), *requests, threads=8)
    busy = b"Too many uploads are arriving just now. Try again in a moment."
    # Two of the first address and two of the second; nothing is left for the third.
    assert [request.content == busy for request in requests] == [
        *(False, False, True),
        *(False, False, True),
        *(True, True),
    ]


def test_small_slow_bodies_do_not_block_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "SLOT_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.5)
    monkeypatch.setattr(wsgi_adapter, "_BUFFERED_BODIES", 1)
    monkeypatch.setattr(wsgi_adapter, "_BUFFERED_BODIES_PER_ADDRESS", 1)
    slow = [AsgiRequest(b"{", is_complete=False, content_length="1000") for _ in range(40)]
    fast = AsgiRequest(b"a" * 100_000, content_length="100000")
    serve(Application(), *slow, fast)
    assert fast.content == b"larch"
    assert {one.content for one in slow} == {
        b"The body came too slowly: send at least 1 kB a second."
    }


def test_a_large_body_is_refused_before_authentication() -> None:
    application, request = (
        Application(),
        AsgiRequest(b"a" * 300_000, is_complete=False, content_length="9999999"),
    )
    serve(application, request, is_public=lambda environ: environ["PATH_INFO"] == "/a/b/Ã©ÿ")
    assert request.content == b"The body is larger than is accepted here."
    assert application.read == []


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "chunked, chunked"])
def test_other_transfer_codings_than_chunked_are_refused(coding: str) -> None:
    application, request = Application(), AsgiRequest(b"ab", transfer_encoding=coding)
    serve(application, request)
    assert request.content == b"The body's transfer coding is not supported: only chunked is."
    assert application.read == []


def test_an_early_response_keeps_the_connection_if_little_of_the_body_is_left() -> None:
    request = AsgiRequest(*[b"a" * 100_000] * 10, content_length="1000000")
    serve(Application(reads=1), request)
    assert request.status == HTTPStatus.OK
    assert b"connection" not in request.headers
    assert request.is_sent


def test_an_early_response_to_a_large_body_closes_the_connection() -> None:
    request = AsgiRequest(*[b"a" * 100_000] * 40, content_length="4000000")
    serve(Application(reads=1), request)
    assert request.headers[b"connection"] == b"close"
    # The server closes after the last byte, so it is held back while the caller still sends.
    assert [message["body"] for message in request.messages[1:]] == [b"larc", b"h"]
    assert request.is_sent


class Stream:
    """A streaming response, like Django's StreamingHttpResponse."""

    streaming = True

    def __init__(self) -> None:
        self.yielded = 0
        self.is_closed = False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Stream:
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(100):
            self.yielded += 1
            yield b"larch"

    def close(self) -> None:
        self.is_closed = True


def test_chunks_are_streamed_and_the_response_is_closed() -> None:
    stream, request = Stream(), AsgiRequest()
    serve(stream, request)
    assert request.content == b"larch" * 100
    assert stream.is_closed


def test_a_head_request_consumes_no_chunk() -> None:
    stream, request = Stream(), AsgiRequest()
    request.scope["method"] = "HEAD"
    serve(stream, request)
    assert (stream.yielded, stream.is_closed, request.content) == (0, True, b"")


def test_a_caller_that_reads_nothing_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_writer, "_SEND_SECONDS", 0.05)
    aborted = []
    monkeypatch.setattr(response_writer.ResponseWriter, "abort", lambda _: aborted.append(True))
    stream, request = Stream(), AsgiRequest()

    async def send(message: dict[str, Any]) -> None:
        request.messages.append(message)
        if len(request.messages) == 3:
            await asyncio.Event().wait()

    request.send = send  # type: ignore[method-assign]
    serve(stream, request)
    assert (stream.yielded, stream.is_closed, aborted) == (2, True, [True])
