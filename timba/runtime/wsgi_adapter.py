"""Runs a WSGI application under an ASGI server, so that slow callers hold none of its threads.

The event loop reads bodies (`request_body.py`) and writes answers (`response_writer.py`) under
deadlines; the threads of a pool run the application. Measurements: docs/adr/0011.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import structlog

from timba.errors import BodyTimeout, DomainError, Invalid, TooLarge, Unavailable
from timba.runtime.request_body import (
    BUFFERED_BYTES,
    SMALL_BYTES,
    BodyStream,
    BodyTooSlow,
    Disconnected,
    NoSlot,
    Receive,
    RequestBody,
    Slots,
)
from timba.runtime.response_writer import Header, ResponseWriter, Send

Environ = dict[str, Any]
T = TypeVar("T")

# The key in `environ` of the reason why a body was not read: the application answers with it.
REFUSAL: Final = "timba.refusal"
# Bodies that are read into memory at once: each may hold 256 KiB, and no thread.
_BODIES: Final = 256
_BODIES_PER_ADDRESS: Final = 32
_log = structlog.get_logger(__name__)


class WSGIApplication(Protocol):
    """What PEP 3333 calls an application."""

    def __call__(self, environ: Environ, start_response: Any, /) -> Iterable[bytes]: ...


@dataclass(kw_only=True, slots=True)
class _Answer:
    """What the application answered: all of the bytes, or pieces that are made one by one."""

    status: int
    headers: list[Header]
    content: bytes = b""
    pieces: Any = None


class WSGIAdapter:
    """An ASGI application around a WSGI one."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        address_of: Callable[[Environ], str],
        is_public: Callable[[Environ], bool] = lambda _: False,
    ) -> None:
        """Run `application` in `threads`; requests of one `address_of` share its slots.

        The body of a request that `is_public` is read before it is known who sends it: a large one
        is refused, for it would take an upload's slot.
        """
        self._application = application
        self._address_of = address_of
        self._is_public = is_public
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._bodies = Slots(_BODIES, per_address=_BODIES_PER_ADDRESS)
        self._uploads = Slots(threads // 2, per_address=max(1, threads // 4))

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                self._pool.shutdown(wait=False)
                return

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        environ = environ_of(scope)
        body = RequestBody(receive, length=_length_of(environ))
        answer = await self._answer(environ, body)
        await body.drain()
        if not body.is_complete:
            answer.headers.append((b"connection", b"close"))
        writer = ResponseWriter(scope, receive, send)
        try:
            await self._write(answer, writer, body)
        except TimeoutError:
            _log.warning("an answer was cut: its reader is too slow", path=scope["path"])
            writer.abort()

    async def _answer(self, environ: Environ, body: RequestBody) -> _Answer:
        address = self._address_of(environ)
        try:
            if environ.pop("HTTP_TRANSFER_ENCODING", "chunked").strip().lower() != "chunked":
                raise Invalid("The body's transfer coding is not supported: only chunked is.")
            async with AsyncExitStack() as slots:
                beginning = await body.read_up_to(SMALL_BYTES)
                if not body.is_complete:
                    await slots.enter_async_context(self._bodies.take(address))
                    beginning += await body.read_up_to(BUFFERED_BYTES - len(beginning))
                if not body.is_complete:
                    if self._is_public(environ):
                        raise TooLarge("The body is larger than is accepted here.")
                    await slots.enter_async_context(self._uploads.take(address))
                    return await self._answer_upload(environ, beginning, body)
        except DomainError as refusal:
            return await self._refuse(environ, refusal)
        except NoSlot:
            busy = "Too many uploads are arriving just now. Try again in a moment."
            return await self._refuse(environ, Unavailable(busy))
        except BodyTooSlow:
            return await self._refuse(environ, BodyTimeout())
        except Disconnected:
            # Who has only closed the sending half of the connection still reads.
            broken = "The body broke off before its end. Send it again."
            return await self._refuse(environ, Invalid(broken))
        environ["wsgi.input"] = io.BytesIO(beginning)
        environ["CONTENT_LENGTH"] = str(len(beginning))
        return await self._in_thread(self._call, environ)

    async def _answer_upload(
        self, environ: Environ, beginning: bytes, body: RequestBody
    ) -> _Answer:
        """Run the application while the body arrives."""
        stream = BodyStream(beginning)
        environ["wsgi.input"] = io.BufferedReader(stream)
        copying = asyncio.create_task(body.copy_to(stream))
        try:
            answer = await self._in_thread(self._call, environ)
        finally:
            copying.cancel()
            with suppress(asyncio.CancelledError):
                await copying
        if body.failure is not None:
            # What the application makes of a body that breaks off is not the caller's answer.
            await self._in_thread(_close, answer.pieces)
            raise body.failure
        return answer

    async def _refuse(self, environ: Environ, refusal: DomainError) -> _Answer:
        without_body = {REFUSAL: refusal, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        return await self._in_thread(self._call, environ | without_body)

    async def _write(self, answer: _Answer, writer: ResponseWriter, body: RequestBody) -> None:
        await writer.start(answer.status, answer.headers)
        if answer.pieces is not None:
            await self._write_pieces(answer.pieces, writer)
            await writer.end()
        elif body.is_complete:
            await writer.end(answer.content)
        else:
            # With its last byte the server takes the answer for sent, and closes the connection.
            await writer.write(answer.content[:-1])
            await body.linger()
            await writer.end(answer.content[-1:])

    async def _write_pieces(self, pieces: Any, writer: ResponseWriter) -> None:
        """Send pieces as they are made, until the caller leaves."""
        iterator = iter(pieces)
        try:
            with writer.watched():
                while not writer.is_abandoned:
                    piece = await self._in_thread(next, iterator, None)
                    if piece is None:
                        return
                    await writer.write(piece)
        finally:
            await self._in_thread(_close, pieces)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _call(self, environ: Environ) -> _Answer:
        """Run the application; in a thread."""
        answer = _Answer(status=500, headers=[])

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            answer.status = int(status.partition(" ")[0])
            answer.headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ]

        result = self._application(environ, start_response)
        if environ["REQUEST_METHOD"] == "HEAD":
            _close(result)
        elif getattr(result, "streaming", False):
            answer.pieces = result
        else:
            try:
                answer.content = b"".join(result)
            finally:
                _close(result)
        return answer


def environ_of(scope: Mapping[str, Any]) -> Environ:
    """Return what PEP 3333 says of a request; of the process's own environment, nothing."""
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in _headers(scope["headers"]):
        separator = "; " if name == "HTTP_COOKIE" else ","
        environ[name] = f"{environ[name]}{separator}{value}" if name in environ else value
    return environ


def _headers(headers: Iterable[Header]) -> Iterator[tuple[str, str]]:
    """Give each header by its name in `environ`.

    One with an underscore is left out: it would be taken for its twin with a hyphen, which a proxy
    may have set.
    """
    for raw, value in headers:
        if b"_" in raw:
            continue
        name = raw.decode("latin-1").upper().replace("-", "_")
        if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = f"HTTP_{name}"
        yield name, value.decode("latin-1")


def _length_of(environ: Environ) -> int | None:
    """Return the length of the body; None of a chunked one, whose pieces the server has joined."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        environ.pop("CONTENT_LENGTH", None)
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
