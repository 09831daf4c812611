"""Request bodies have a minimum rate, and one caller cannot take all the slots."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from typing import Any

import pytest

from timba.runtime import request_body
from timba.runtime.request_body import (
    BodyStream,
    BodyTooSlow,
    Disconnected,
    MinimumRate,
    NoSlot,
    RequestBody,
    Slots,
)


def body_of(messages: Iterable[dict[str, Any]], *, length: int | None) -> RequestBody:
    """Return a body that arrives in these messages, after which its caller sends nothing more."""
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        for message in waiting:
            return message
        return await asyncio.Event().wait() or {}

    return RequestBody(receive, length=length)


def chunk(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


DISCONNECT = {"type": "http.disconnect"}


def test_one_kilobyte_per_second_is_enough() -> None:
    rate = MinimumRate()
    for _ in range(10_000):
        rate.record(seconds=1, size=1000)
        assert rate.remaining_seconds > 0


def test_less_than_30_kilobytes_in_any_30_seconds_is_too_slow() -> None:
    rate = MinimumRate()
    rate.record(seconds=1, size=10_000_000)
    rate.record(seconds=15, size=14_999)
    assert rate.remaining_seconds == 15
    rate.record(seconds=14.5, size=14_999)
    assert rate.remaining_seconds == 0.5


def test_earlier_data_does_not_count_for_later_windows() -> None:
    rate = MinimumRate()
    rate.record(seconds=0, size=1_000_000)
    rate.record(seconds=29, size=1)
    assert rate.remaining_seconds == 1


def test_a_stalled_body_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "WINDOW_SECONDS", 0.01)
    body = body_of([chunk(b"ab")], length=4)

    async def read_all() -> None:
        assert await body.read() == b"ab"
        await body.read()

    with pytest.raises(BodyTooSlow):
        asyncio.run(read_all())


@pytest.mark.parametrize("length", [4, None])
def test_a_body_that_is_cut_off_is_not_complete(length: int | None) -> None:
    body = body_of([chunk(b"ab"), DISCONNECT], length=length)
    with pytest.raises(Disconnected):
        asyncio.run(body.read_into(bytearray(), 100))


def test_a_thread_reads_a_body_while_it_arrives() -> None:
    chunks = [bytes([number]) * 70_000 for number in range(100)]
    messages = [chunk(one) for one in chunks] + [chunk(b"", more=False)]

    async def copy() -> bytes:
        body = body_of(messages, length=None)
        beginning = bytearray()
        await body.read_into(beginning, 100)
        stream = BodyStream(bytes(beginning))
        reading = asyncio.to_thread(io.BufferedReader(stream).read)
        _, content = await asyncio.gather(body.copy_to(stream), reading)
        return content

    assert asyncio.run(copy()) == b"".join(chunks)


def test_the_reading_thread_gets_the_disconnect() -> None:
    async def copy() -> None:
        body = body_of([chunk(b"ab"), DISCONNECT], length=4)
        stream = BodyStream(b"")
        reading = asyncio.to_thread(io.BufferedReader(stream).read)
        await asyncio.gather(body.copy_to(stream), reading)

    with pytest.raises(Disconnected):
        asyncio.run(copy())


def test_the_queue_is_bounded() -> None:
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return chunk(b"a")

    async def copy() -> None:
        stream = BodyStream(b"")
        copying = asyncio.create_task(RequestBody(receive, length=None).copy_to(stream))
        await asyncio.sleep(0.05)
        copying.cancel()

    asyncio.run(copy())
    assert taken == request_body._QUEUED_CHUNKS + 1


def test_one_address_gets_only_some_of_the_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "SLOT_WAIT_SECONDS", 0.01)

    async def take_all() -> None:
        slots = Slots(3, per_address=2)
        async with slots.acquire("192.0.2.1"), slots.acquire("192.0.2.1"):
            with pytest.raises(NoSlot):
                await slots.acquire("192.0.2.1").__aenter__()
            async with slots.acquire("192.0.2.2"):
                with pytest.raises(NoSlot):
                    await slots.acquire("192.0.2.3").__aenter__()
        async with (
            slots.acquire("192.0.2.1"),
            slots.acquire("192.0.2.1"),
            slots.acquire("192.0.2.3"),
        ):
            pass
        assert not slots._by_address

    asyncio.run(take_all())
