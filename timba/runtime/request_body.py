"""Reads request bodies under a minimum rate, so that slow callers hold no thread of the web server.

A body is read by the event loop. A small one is complete before a thread sees it; the pieces of a
larger one reach the thread through a bounded queue while they arrive. Only a few bodies are read at
once for one address, so that one caller cannot keep the others waiting.
"""

from __future__ import annotations

import asyncio
import io
import queue
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

Receive = Callable[[], Awaitable[dict[str, Any]]]

# The contract: at least 1 kB/s over any 30 s.
WINDOW_SECONDS: Final = 30.0
WINDOW_BYTES: Final = 30_000
SLOT_SECONDS: Final = 10.0
# A body up to the first size is read without a slot, up to the second before a thread sees it.
SMALL_BYTES: Final = 16 * 1024
BUFFERED_BYTES: Final = 256 * 1024
# What an answer left unread is read and dropped up to this size, to keep the connection.
DRAINED_BYTES: Final = 1024 * 1024
_DRAIN_SECONDS: Final = 5.0
# How long a caller that sends on after its answer is listened to, in all and without a byte.
_LINGER_SECONDS: Final = 30.0
_LINGER_IDLE_SECONDS: Final = 1.0
_QUEUED_PIECES: Final = 16


class NoSlot(Exception):
    """Too many bodies are being read, in all or for this address."""


class BodyTooSlow(OSError):
    """The body came in at less than the minimum rate."""


class Disconnected(OSError):
    """The caller left before the end of the body."""


class MinimumRate:
    """Tells how long a transfer may still stand still: it needs 30 kB in any 30 s of waiting.

    Only seconds spent waiting for the caller count, not those in which Timba itself was busy.
    """

    def __init__(self) -> None:
        self._waited = 0.0
        # The latest pieces, as (waited seconds, bytes): as many as make up one window's minimum.
        self._pieces: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def record(self, *, seconds: float, size: int) -> None:
        self._waited += seconds
        self._pieces.append((self._waited, size))
        self._bytes += size
        while self._bytes - self._pieces[0][1] >= WINDOW_BYTES:
            self._bytes -= self._pieces.popleft()[1]

    @property
    def patience(self) -> float:
        """Return the seconds after which a transfer that stands still is too slow."""
        begin = self._pieces[0][0] if self._bytes >= WINDOW_BYTES else 0.0
        return begin + WINDOW_SECONDS - self._waited


@dataclass(slots=True)
class _Share:
    """The slots of one address; `users` hold one of them or wait for one."""

    slots: asyncio.Semaphore
    users: int = 0


@dataclass(slots=True)
class Slots:
    """A number of slots in all, of which one address gets only some."""

    total: int
    per_address: int
    _all: asyncio.Semaphore = field(init=False)
    _shares: dict[str, _Share] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._all = asyncio.Semaphore(self.total)

    @asynccontextmanager
    async def take(self, address: str) -> AsyncIterator[None]:
        """Hold a slot; raise NoSlot where none comes free within ten seconds."""
        share = self._shares.setdefault(address, _Share(asyncio.Semaphore(self.per_address)))
        share.users += 1
        try:
            deadline = time.monotonic() + SLOT_SECONDS
            async with _acquired(share.slots, deadline), _acquired(self._all, deadline):
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[address]


@asynccontextmanager
async def _acquired(slots: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            await slots.acquire()
    except TimeoutError:
        raise NoSlot from None
    try:
        yield
    finally:
        slots.release()


class RequestBody:
    """The body of one request, read on the event loop."""

    def __init__(self, receive: Receive, *, length: int | None) -> None:
        """Read from ASGI's `receive`; `length` is None for a chunked body."""
        self._receive = receive
        self._rate = MinimumRate()
        self._length = length
        self._received = 0
        self.is_complete = length == 0
        self.failure: OSError | None = None

    async def read(self) -> bytes:
        """Return the next piece, empty only at the end; raise BodyTooSlow or Disconnected."""
        while not self.is_complete:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(self._rate.patience):
                    message = await self._receive()
            except TimeoutError:
                self.failure = BodyTooSlow()
                raise self.failure from None
            if message["type"] != "http.request":
                self.failure = Disconnected()
                raise self.failure
            piece: bytes = message.get("body", b"")
            self._rate.record(seconds=time.monotonic() - begin, size=len(piece))
            self._received += len(piece)
            self.is_complete = not message.get("more_body", False)
            if piece:
                return piece
        return b""

    async def read_up_to(self, size: int) -> bytes:
        """Return the rest of the body, or of a larger one a little more than `size` bytes."""
        pieces = bytearray()
        while len(pieces) <= size and (piece := await self.read()):
            pieces += piece
        return bytes(pieces)

    async def copy_to(self, stream: BodyStream) -> None:
        """Hand the rest to a thread that reads `stream`, which learns of every failure too."""
        try:
            with suppress(OSError):  # the thread gets it from the stream
                while piece := await self.read():
                    await stream.put(piece)
        finally:
            stream.end(None if self.is_complete else self.failure or Disconnected())

    async def drain(self) -> None:
        """Read and drop what is left where that is little and comes soon."""
        if self._length is not None and self._length - self._received > DRAINED_BYTES:
            return
        limit = self._received + DRAINED_BYTES
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._received <= limit and await self.read():
                    pass

    async def linger(self) -> None:
        """Read and drop until the caller stops sending.

        Where a server closes a connection before it has read all, the caller may see it broken in
        place of its answer.
        """
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while True:
                    async with asyncio.timeout(_LINGER_IDLE_SECONDS):
                        if not await self.read():
                            return


class BodyStream(io.RawIOBase):
    """The rest of a body as a file that a thread reads while the event loop fills it.

    Wrap it in `io.BufferedReader`. A failure of the body is raised to the reader as the OSError
    that it is, which Django turns into UnreadablePostError.
    """

    def __init__(self, beginning: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(_QUEUED_PIECES)
        self._queue: queue.SimpleQueue[bytes | OSError] = queue.SimpleQueue()
        self._piece = memoryview(beginning)

    async def put(self, piece: bytes) -> None:
        """Add a piece, once the reader has left room for it."""
        await self._room.acquire()
        self._queue.put(piece)

    def end(self, failure: OSError | None) -> None:
        """Say that nothing more comes, or what the reader gets raised."""
        self._queue.put(failure or b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._piece:
            piece = self._queue.get()
            if not piece or isinstance(piece, OSError):
                self._queue.put(piece)  # whoever reads again is told the same
                if isinstance(piece, OSError):
                    raise piece
                return 0
            self._loop.call_soon_threadsafe(self._room.release)
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
