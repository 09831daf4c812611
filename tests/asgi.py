"""Callers of an ASGI application, without a server between."""

from __future__ import annotations

import asyncio
from typing import Any

Messages = list[dict[str, Any]]


class Caller:
    """Sends a request in pieces and notes the answer; after the last piece it is silent."""

    def __init__(self, *pieces: bytes, whole: bool = True, **headers: str) -> None:
        self._pieces = list(pieces)
        self._whole = whole
        self.sent: Messages = []
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
        if not self._pieces:
            await asyncio.Event().wait()
        body = self._pieces.pop(0)
        more = bool(self._pieces) or not self._whole
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def content(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def has_sent_all(self) -> bool:
        return not self._pieces


def call(application: Any, *callers: Caller) -> None:
    """Let all of them call at once; return when each has its answer."""

    async def run() -> None:
        await asyncio.gather(*(application(one.scope, one.receive, one.send) for one in callers))

    asyncio.run(run())
