"""Reads request bodies at a minimum rate, so that slow callers do not occupy web threads.

The event loop reads the body. A small one is complete before a thread handles the request; chunks
of a larger one reach the thread through a bounded queue while they arrive. The number of bodies
read concurrently is limited in total and per address, so that one caller cannot block the others.
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

# The minimum rate of the API: 1 kB/s, measured over any 30 s.
WINDOW_SECONDS: Final = 30.0
WINDOW_BYTES: Final = 30_000
SLOT_WAIT_SECONDS: Final = 10.0
# A body of up to this size needs no slot.
SMALL_BYTES: Final = 16 * 1024
# A body of up to this size is read before a thread is used.
BUFFERED_BYTES: Final = 256 * 1024
# The unread rest of a body is discarded up to this size, to keep the connection open.
DRAIN_BYTES: Final = 1024 * 1024
_DRAIN_SECONDS: Final = 5.0
# How long to read from a caller that keeps sending after the response: in total, and when idle.
_LINGER_SECONDS: Final = 30.0
_LINGER_IDLE_SECONDS: Final = 1.0
_QUEUED_CHUNKS: Final = 16


class NoSlot(Exception):
    """Too many bodies are being read, in total or for this address."""


class BodyTooSlow(OSError):
    """The body arrived at less than the minimum rate."""


class Disconnected(OSError):
    """The caller disconnected before the end of the body."""


class MinimumRate:
    """Tracks the rate of a transfer, which must be at least 30 kB in any 30 s of waiting.

    Only the time spent waiting for the caller counts, not the time Timba itself was busy.
    """

    def __init__(self) -> None:
        self._waited = 0.0
        # The latest chunks, as (total seconds waited, bytes): the fewest that hold WINDOW_BYTES.
        self._chunks: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def record(self, *, seconds: float, size: int) -> None:
        self._waited += seconds
        self._chunks.append((self._waited, size))
        self._bytes += size
        while self._bytes - self._chunks[0][1] >= WINDOW_BYTES:
            self._bytes -= self._chunks.popleft()[1]

    @property
    def remaining_seconds(self) -> float:
        """The seconds of silence after which the transfer is too slow."""
        begin = self._chunks[0][0] if self._bytes >= WINDOW_BYTES else 0.0
        return begin + WINDOW_SECONDS - self._waited


@dataclass(slots=True)
class _AddressSlots:
    """The slots of one address, and the number of requests that hold or await one."""

    slots: asyncio.Semaphore
    requests: int = 0


@dataclass(slots=True)
class Slots:
    """A limited number of slots, in total and per address."""

    total: int
    per_address: int
    _all: asyncio.Semaphore = field(init=False)
    _by_address: dict[str, _AddressSlots] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._all = asyncio.Semaphore(self.total)

    @asynccontextmanager
    async def acquire(self, address: str) -> AsyncIterator[None]:
        """Hold a slot during the context; raise NoSlot if none is free within SLOT_WAIT_SECONDS."""
        own = self._by_address.setdefault(
            address, _AddressSlots(asyncio.Semaphore(self.per_address))
        )
        own.requests += 1
        try:
            deadline = time.monotonic() + SLOT_WAIT_SECONDS
            async with _hold(own.slots, deadline), _hold(self._all, deadline):
                yield
        finally:
            own.requests -= 1
            if not own.requests:
                del self._by_address[address]


@asynccontextmanager
async def _hold(slots: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
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
        """Read from ASGI's `receive`. `length` is None for a chunked body."""
        self._receive = receive
        self._rate = MinimumRate()
        self._length = length
        self._received = 0
        self.is_complete = length == 0
        self.failure: OSError | None = None

    async def read(self) -> bytes:
        """Return the next chunk, empty only at the end; raise BodyTooSlow or Disconnected."""
        if self.failure is not None:
            raise self.failure
        while not self.is_complete:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(self._rate.remaining_seconds):
                    message = await self._receive()
            except TimeoutError:
                self.failure = BodyTooSlow()
                raise self.failure from None
            if message["type"] != "http.request":
                self.failure = Disconnected()
                raise self.failure
            chunk: bytes = message.get("body", b"")
            self._rate.record(seconds=time.monotonic() - begin, size=len(chunk))
            self._received += len(chunk)
            self.is_complete = not message.get("more_body", False)
            if chunk:
                return chunk
        return b""

    async def read_into(self, content: bytearray, size: int) -> None:
        """Read until `content` has a little more than `size` bytes, or the body ends."""
        while len(content) <= size and (chunk := await self.read()):
            content += chunk

    async def copy_to(self, stream: BodyStream) -> None:
        """Copy the rest to `stream`, which a thread reads; pass failures on to that thread."""
        try:
            with suppress(OSError):  # `stream.end` passes it on
                while chunk := await self.read():
                    await stream.put(chunk)
        finally:
            stream.end(None if self.is_complete else self.failure or Disconnected())

    async def drain(self) -> None:
        """Discard the rest of the body, if it is small and arrives soon."""
        if self._length is not None and self._length - self._received > DRAIN_BYTES:
            return
        limit = self._received + DRAIN_BYTES
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._received <= limit and await self.read():
                    pass

    async def linger(self) -> None:
        """Discard data until the caller stops sending.

        If a server closes a connection with unread data, the caller may get a connection reset
        instead of the response.
        """
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while True:
                    async with asyncio.timeout(_LINGER_IDLE_SECONDS):
                        if not await self.read():
                            return


class BodyStream(io.RawIOBase):
    """The rest of a body as a raw stream that a thread reads while the event loop fills it.

    Wrap it in `io.BufferedReader`. A failure of the body is raised by `readinto` as an OSError,
    which Django converts to UnreadablePostError.
    """

    def __init__(self, beginning: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(_QUEUED_CHUNKS)
        self._queue: queue.SimpleQueue[bytes | OSError] = queue.SimpleQueue()
        self._chunk = memoryview(beginning)

    async def put(self, chunk: bytes) -> None:
        """Add a chunk, waiting while the queue is full."""
        await self._free.acquire()
        self._queue.put(chunk)

    def end(self, failure: OSError | None) -> None:
        """Mark the end of the body, or pass a failure to raise in the reader."""
        self._queue.put(failure or b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._chunk:
            chunk = self._queue.get()
            if not chunk or isinstance(chunk, OSError):
                self._queue.put(chunk)  # for repeated reads at the end
                if isinstance(chunk, OSError):
                    raise chunk
                return 0
            self._loop.call_soon_threadsafe(self._free.release)
            self._chunk = memoryview(chunk)
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size
