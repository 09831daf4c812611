"""Writes answers to callers under a deadline, so that who does not read holds nothing of Timba."""

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

_PIECE_BYTES: Final = 64 * 1024
# A piece has this time and a second more for each 1,000 of its bytes.
_SEND_SECONDS: Final = 30.0
_OPEN_FILES: Final = Path("/proc/self/fd")


def _copy_of(number: int) -> socket.socket:
    return socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)


class ResponseWriter:
    """The answer to one request; TimeoutError means that its reader is too slow."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._client = scope.get("client")
        self._receive = receive
        self._send = send
        self.is_abandoned = False

    async def start(self, status: int, headers: list[Header]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, content: bytes) -> None:
        """Send bytes of which more may follow; raise TimeoutError where they are not taken."""
        for begin in range(0, len(content), _PIECE_BYTES):
            await self._write(content[begin : begin + _PIECE_BYTES], more=True)

    async def end(self, content: bytes = b"") -> None:
        """Send the last bytes; raise TimeoutError where they are not taken."""
        if len(content) > _PIECE_BYTES:
            await self.write(content)
            content = b""
        await self._write(content, more=False)

    async def _write(self, piece: bytes, *, more: bool) -> None:
        async with asyncio.timeout(_SEND_SECONDS + len(piece) / 1000):
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Set `is_abandoned` once the caller leaves: the server's `send` says nothing of it."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_abandoned = True

    def abort(self) -> None:
        """Close the connection of a caller that does not read: the server would keep it for ever.

        ASGI has no call for that, so its socket is looked for among this process's own. On systems
        without /proc the connection stays until the caller closes it.
        """
        if self._client is None or not _OPEN_FILES.is_dir():
            return
        host, port = self._client
        for entry in _OPEN_FILES.iterdir():
            # The copy stays what it is even if the number is used again meanwhile.
            with suppress(OSError), _copy_of(int(entry.name)) as connection:
                if connection.getpeername()[:2] == (host, int(port)):
                    connection.shutdown(socket.SHUT_RDWR)
                    return
