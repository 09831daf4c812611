"""Writes responses under a deadline, so that a caller that does not read occupies no resources."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from timba.runtime.request_body import Receive

Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_CHUNK_BYTES: Final = 64 * 1024
# The time limit of a chunk; each 1,000 bytes add a second.
_SEND_SECONDS: Final = 30.0
_OPEN_FILES: Final = Path("/proc/self/fd")


def _duplicate_socket(number: int) -> socket.socket:
    return socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)


class ResponseWriter:
    """Sends the response to one request; TimeoutError means that its caller reads too slowly."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._client = scope.get("client")
        self._receive = receive
        self._send = send
        self.is_disconnected = False

    async def start(self, status: int, headers: list[Header]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, content: bytes) -> None:
        """Send bytes, with more to follow; raise TimeoutError if they are not read in time."""
        for begin in range(0, len(content), _CHUNK_BYTES):
            await self._write(content[begin : begin + _CHUNK_BYTES], more=True)

    async def end(self, content: bytes = b"") -> None:
        """Send the last bytes; raise TimeoutError if they are not read in time."""
        if len(content) > _CHUNK_BYTES:
            await self.write(content)
            content = b""
        await self._write(content, more=False)

    async def _write(self, chunk: bytes, *, more: bool) -> None:
        async with asyncio.timeout(_SEND_SECONDS + len(chunk) / 1000):
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    @contextmanager
    def watch_for_disconnect(self) -> Iterator[None]:
        """Set `is_disconnected` when the caller disconnects, which `send` does not report."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_disconnected = True

    def abort(self) -> None:
        """Close the connection of a caller that does not read; the server would keep it open.

        ASGI has no call for this, so the socket is searched among the open files of this process.
        On systems without /proc the connection stays open until the caller closes it.
        """
        if self._client is None or not _OPEN_FILES.is_dir():
            return
        host, port = self._client
        for entry in _OPEN_FILES.iterdir():
            with suppress(OSError):
                # `fromfd` duplicates any descriptor, and leaks the duplicate of what is no socket.
                if not str(entry.readlink()).startswith("socket:"):
                    continue
                # The duplicate stays valid even if the descriptor is closed and reused meanwhile.
                with _duplicate_socket(int(entry.name)) as connection:
                    if connection.getpeername()[:2] == (host, int(port)):
                        connection.shutdown(socket.SHUT_RDWR)
                        return
