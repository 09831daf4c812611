"""Runs the WSGI application under an ASGI server, so that slow callers hold none of its threads.

The event loop reads bodies and writes answers under deadlines (`request_body.py`); a thread of a
pool runs the application. Docs and measurements: docs/adr/0011.
"""

from __future__ import annotations

import asyncio
import io
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

import structlog

from timba.config.request_body import (
    BodyStream,
    BodyTooSlow,
    Disconnected,
    NoSlot,
    Receive,
    RequestBody,
    Slots,
)
from timba.errors import DomainError, TooSlow, Unavailable

Send = Callable[[dict[str, Any]], Awaitable[None]]
Environ = dict[str, Any]

# The key in `environ` of why the body was not read: the application answers with that refusal.
REFUSAL: Final = "timba.refusal"
_PIECE_BYTES: Final = 64 * 1024
# An answer that is not taken for so long, beyond a second for each of its 1,000 bytes, is cut.
_SEND_SECONDS: Final = 30.0
# Bodies that are waited for at once: each may hold `BUFFERED_BYTES` of memory.
_BODIES: Final = 256
_BODIES_PER_ADDRESS: Final = 32
_log = structlog.get_logger(__name__)


class WSGIApplication(Protocol):
    """A callable as in PEP 3333."""

    def __call__(self, environ: Environ, start_response: Any, /) -> Iterable[bytes]: ...


@dataclass(kw_only=True, slots=True)
class _Answer:
    """What the application answered: all of its bytes, or pieces that are made one by one."""

    status: int
    headers: list[tuple[bytes, bytes]]
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
    ) -> None:
        """Run `application` in `threads`; callers of one `address_of` share what is limited."""
        self._application = application
        self._address_of = address_of
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._bodies = Slots(_BODIES, _BODIES_PER_ADDRESS)
        self._uploads = Slots(max(1, threads // 2), max(1, threads // 4))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
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
        try:
            answer = await self._answer(environ, body)
        except Disconnected:
            return
        closes = not await body.drain()
        if closes:
            answer.headers.append((b"connection", b"close"))
        reply = _Reply(scope, receive, send)
        try:
            await reply.start(answer)
            if answer.pieces is None:
                await reply.send(answer.content)
            else:
                await self._stream(answer.pieces, reply)
            if closes:
                await body.linger()
            await reply.end()
        except TimeoutError:
            _log.warning("an answer was cut: its reader is too slow", path=scope["path"])
            reply.abort()

    async def _answer(self, environ: Environ, body: RequestBody) -> _Answer:
        """Return the application's answer; raise Disconnected when nobody waits for one."""
        address = self._address_of(environ)
        try:
            async with AsyncExitStack() as slots:
                if not body.is_complete:
                    await slots.enter_async_context(self._bodies.take(address))
                beginning = await body.read_beginning()
                if not body.is_complete:
                    await slots.enter_async_context(self._uploads.take(address))
                    return await self._answer_upload(environ, beginning, body)
            environ["wsgi.input"] = io.BytesIO(beginning)
            environ["CONTENT_LENGTH"] = str(len(beginning))
            return await self._in_thread(self._call, environ)
        except NoSlot:
            busy = Unavailable("Too many uploads are arriving just now. Try again in a moment.")
            return await self._refuse(environ, busy)
        except BodyTooSlow:
            return await self._refuse(environ, TooSlow())

    async def _answer_upload(
        self, environ: Environ, beginning: bytes, body: RequestBody
    ) -> _Answer:
        """Run the application while the body arrives."""
        stream = BodyStream(beginning)
        environ["wsgi.input"] = io.BufferedReader(stream, _PIECE_BYTES)
        copying = asyncio.create_task(body.copy_to(stream))
        try:
            answer = await self._in_thread(self._call, environ)
        finally:
            copying.cancel()
            with suppress(asyncio.CancelledError):
                await copying
        if stream.failure is not None:
            # The application has seen a body that breaks off; its caller is told why.
            await self._in_thread(_close, answer.pieces)
            raise stream.failure
        return answer

    async def _refuse(self, environ: Environ, refusal: DomainError) -> _Answer:
        without_body = {**environ, REFUSAL: refusal, "wsgi.input": io.BytesIO()}
        return await self._in_thread(self._call, without_body | {"CONTENT_LENGTH": "0"})

    async def _stream(self, pieces: Any, reply: _Reply) -> None:
        """Send pieces as they are made, until the caller leaves."""
        iterator = iter(pieces)
        try:
            with reply.watched():
                while not reply.is_abandoned:
                    piece = await self._in_thread(_next, iterator)
                    if piece is None:
                        return
                    await reply.send(piece)
        finally:
            await self._in_thread(_close, pieces)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _call(self, environ: Environ) -> _Answer:
        """Run the application, in a thread."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            started[:] = (
                int(status[:3]),
                [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            )

        result = self._application(environ, start_response)
        status, headers = started
        answer = _Answer(status=status, headers=headers)
        if getattr(result, "streaming", False) and environ["REQUEST_METHOD"] != "HEAD":
            answer.pieces = result
            return answer
        try:
            if environ["REQUEST_METHOD"] != "HEAD":
                answer.content = b"".join(result)
        finally:
            _close(result)
        return answer


class _Reply:
    """Sends one answer; every piece of it has to be taken within its time."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._client = scope["client"]
        self._receive = receive
        self._send = send
        self.is_abandoned = False
