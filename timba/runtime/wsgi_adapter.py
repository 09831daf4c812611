"""Runs a WSGI application under an ASGI server, so that slow callers occupy none of its threads.

The event loop reads bodies (`request_body.py`) and writes responses (`response_writer.py`) under
deadlines; a thread pool runs the application. Measurements: docs/adr/0011.
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

# The key in `environ` of the DomainError due to which a body was not read.
BODY_ERROR: Final = "timba.body_error"
# Bodies that are buffered concurrently: each takes up to 256 KiB of memory, and no thread.
_BUFFERED_BODIES: Final = 256
_BUFFERED_BODIES_PER_ADDRESS: Final = 32
_log = structlog.get_logger(__name__)


class WSGIApplication(Protocol):
    """An application as defined by PEP 3333."""

    def __call__(self, environ: Environ, start_response: Any, /) -> Iterable[bytes]: ...


@dataclass(kw_only=True, slots=True)
class _Response:
    """A response of the application: its whole content, or an iterable of chunks."""

    status: int
    headers: list[Header]
    content: bytes = b""
    chunks: Any = None


class WSGIAdapter:
    """An ASGI application that wraps a WSGI application."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        address_of: Callable[[Environ], str],
        is_public: Callable[[Environ], bool] = lambda _: False,
        keeps_beginnings: Callable[[Environ], bool] = lambda _: False,
    ) -> None:
        """Run `application` in `threads` threads; slots are counted by `address_of(environ)`.

        The view of a request that `is_public` reads the body before it authenticates the caller,
        so a large body is rejected: it would take the slot of an upload. One that
        `keeps_beginnings` also gets what arrived of a body that broke off, then the failure.
        """
        self._application = application
        self._address_of = address_of
        self._is_public = is_public
        self._keeps_beginnings = keeps_beginnings
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._bodies = Slots(_BUFFERED_BODIES, per_address=_BUFFERED_BODIES_PER_ADDRESS)
        self._uploads = Slots(threads // 2, per_address=max(1, threads // 4))

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._handle_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._handle_request(scope, receive, send)

    async def _handle_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                self._pool.shutdown(wait=False)
                return

    async def _handle_request(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        environ = build_environ(scope)
        body = RequestBody(receive, length=_content_length(environ))
        response = await self._respond(environ, body)
        await body.drain()
        if not body.is_complete:
            response.headers.append((b"connection", b"close"))
        writer = ResponseWriter(scope, receive, send)
        try:
            await self._write(response, writer, body)
        except TimeoutError:
            _log.warning("a response was aborted: its caller reads too slowly", path=scope["path"])
            writer.abort()

    async def _respond(self, environ: Environ, body: RequestBody) -> _Response:
        address = self._address_of(environ)
        try:
            if environ.pop("HTTP_TRANSFER_ENCODING", "chunked").strip().lower() != "chunked":
                raise Invalid("The body's transfer coding is not supported: only chunked is.")
            async with AsyncExitStack() as slots:
                beginning = bytearray()
                try:
                    await self._buffer(body, beginning, slots, address)
                except (BodyTooSlow, Disconnected):
                    if beginning and self._keeps_beginnings(environ):
                        await self._respond_to_upload(environ, bytes(beginning), body)
                    raise
                if not body.is_complete:
                    if self._is_public(environ):
                        raise TooLarge("The body is larger than is accepted here.")
                    await slots.enter_async_context(self._uploads.acquire(address))
                    return await self._respond_to_upload(environ, bytes(beginning), body)
        except DomainError as error:
            return await self._reject(environ, error)
        except NoSlot:
            busy = "Too many uploads are arriving just now. Try again in a moment."
            return await self._reject(environ, Unavailable(busy))
        except BodyTooSlow:
            return await self._reject(environ, BodyTimeout())
        except Disconnected:
            # A caller that has closed only its sending half still reads the response.
            broken = "The body broke off before its end. Send it again."
            return await self._reject(environ, Invalid(broken))
        environ["wsgi.input"] = io.BytesIO(bytes(beginning))
        environ["CONTENT_LENGTH"] = str(len(beginning))
        return await self._in_thread(self._call, environ)

    async def _buffer(
        self, body: RequestBody, beginning: bytearray, slots: AsyncExitStack, address: str
    ) -> None:
        """Read a body up to BUFFERED_BYTES, in a slot if it is not small."""
        await body.read_into(beginning, SMALL_BYTES)
        if not body.is_complete:
            await slots.enter_async_context(self._bodies.acquire(address))
            await body.read_into(beginning, BUFFERED_BYTES)

    async def _respond_to_upload(
        self, environ: Environ, beginning: bytes, body: RequestBody
    ) -> _Response:
        """Run the application in a thread while the body arrives."""
        stream = BodyStream(beginning)
        environ["wsgi.input"] = io.BufferedReader(stream)
        copying = asyncio.create_task(body.copy_to(stream))
        try:
            response = await self._in_thread(self._call, environ)
        finally:
            copying.cancel()
            with suppress(asyncio.CancelledError):
                await copying
        if body.failure is not None:
            # The application has responded to an incomplete body; the caller gets the real cause.
            await self._in_thread(_close, response.chunks)
            raise body.failure
        return response

    async def _reject(self, environ: Environ, error: DomainError) -> _Response:
        without_body = {BODY_ERROR: error, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        return await self._in_thread(self._call, environ | without_body)

    async def _write(self, response: _Response, writer: ResponseWriter, body: RequestBody) -> None:
        await writer.start(response.status, response.headers)
        if response.chunks is not None:
            await self._write_chunks(response.chunks, writer)
            await writer.end()
        elif body.is_complete:
            await writer.end(response.content)
        else:
            # The server closes the connection as soon as the last byte of the response is sent.
            await writer.write(response.content[:-1])
            await body.linger()
            await writer.end(response.content[-1:])

    async def _write_chunks(self, chunks: Any, writer: ResponseWriter) -> None:
        """Send chunks as the application yields them, until the caller disconnects."""
        iterator = iter(chunks)
        try:
            with writer.watch_for_disconnect():
                while not writer.is_disconnected:
                    chunk = await self._in_thread(next, iterator, None)
                    if chunk is None:
                        return
                    await writer.write(chunk)
        finally:
            await self._in_thread(_close, chunks)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _call(self, environ: Environ) -> _Response:
        """Run the application; called in a thread."""
        response = _Response(status=500, headers=[])

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            response.status = int(status.partition(" ")[0])
            response.headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ]

        result = self._application(environ, start_response)
        if environ["REQUEST_METHOD"] == "HEAD":
            _close(result)
        elif getattr(result, "streaming", False):
            response.chunks = result
        else:
            try:
                response.content = b"".join(result)
            finally:
                _close(result)
        return response


def build_environ(scope: Mapping[str, Any]) -> Environ:
    """Return the PEP 3333 environ of a request, without variables of the process."""
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
    """Yield each header with its name in `environ`.

    Names with an underscore are skipped: they would become the same key as the header with a
    hyphen, which a proxy may have set.
    """
    for raw, value in headers:
        if b"_" in raw:
            continue
        name = raw.decode("latin-1").upper().replace("-", "_")
        if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = f"HTTP_{name}"
        yield name, value.decode("latin-1")


def _content_length(environ: Environ) -> int | None:
    """Return the length of the body; None if it is chunked, which the server has decoded."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        environ.pop("CONTENT_LENGTH", None)
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
