"""Calls one path of a web server over several connections, as fast as it responds."""

from __future__ import annotations

import asyncio
import time

import uvloop


class _Caller(asyncio.Protocol):
    """Sends the same request again as soon as the response is complete."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request, self._latencies = request, latencies
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        assert head.startswith(b"HTTP/1.1 200 "), head
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._received = b""
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def _call(
    port: int, path: str, headers: dict[str, str], *, connections: int, seconds: float
) -> list[float]:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: */*", "User-Agent: bench"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    transports = [
        (await loop.create_connection(lambda: _Caller(request, latencies), "127.0.0.1", port))
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in transports:
        transport.abort()
    return latencies


def call_repeatedly(
    port: int, path: str, headers: dict[str, str], *, connections: int, seconds: float
) -> list[float]:
    """Return the latency in seconds of each request; every response must be a 200."""
    return uvloop.run(_call(port, path, headers, connections=connections, seconds=seconds))
