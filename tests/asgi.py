"""Requests to an ASGI application without a server."""

from __future__ import annotations

import asyncio
from typing import Any

Messages = list[dict[str, Any]]


class AsgiRequest:
    """A POST request whose body is sent in chunks, and the messages of its response.

    After the last chunk, `receive` blocks. With `is_complete=False` the body stays incomplete.
    """

    def __init__(self, *chunks: bytes, is_complete: bool = True, **headers: str) -> None:
        self._chunks = list(chunks)
        self._is_complete = is_complete
        self.messages: Messages = []
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
