"""A small client of tus 1.0.0 for tests, on the API client of the tests."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

CHUNK_TYPE = "application/offset+octet-stream"


def encoded(**texts: str) -> str:
    """Return texts as `Upload-Metadata`."""
    return ",".join(f"{name} {base64.b64encode(t.encode()).decode()}" for name, t in texts.items())


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    digest = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    return {"Upload-Checksum": f"{algorithm} {digest}"}


@dataclass
class Tus:
    """Sends requests with `Tus-Resumable`; a header of None is left out."""

    client: APIClient

    def send(self, method: str, url: str, body: bytes = b"", **headers: str | None) -> Any:
        sent = {"Tus-Resumable": "1.0.0", **{k.replace("_", "-"): v for k, v in headers.items()}}
        content_type = sent.pop("Content-Type", CHUNK_TYPE if body else "")
        given = {name: value for name, value in sent.items() if value is not None}
        return self.client.generic(method, url, body, content_type=content_type, headers=given)

    def create(self, length: int, body: bytes = b"", *, headers: Any = None, **texts: str) -> Any:
        metadata = {"Upload-Metadata": encoded(**{"filename": "gate.txt", **texts})}
        lengths = {"Upload-Length": str(length)}
        return self.send("POST", "/api/files/tus/", body, **lengths, **metadata, **(headers or {}))

    def url(self, length: int, **texts: str) -> str:
        """Create an upload; return the path of its URL."""
        response = self.create(length, **texts)
        assert response.status_code == 201, response.content
        return str(response["Location"]).removeprefix("http://testserver")

    def patch(self, url: str, offset: int, body: bytes, **headers: str) -> Any:
        return self.send("PATCH", url, body, **{"Upload-Offset": str(offset), **headers})

    def offset(self, url: str) -> int:
        response = self.send("HEAD", url)
        assert response.status_code == 200, response.status_code
        return int(response["Upload-Offset"])
