"""The ASGI application rejects large bodies of unauthenticated callers without reading them."""

from __future__ import annotations

import json

from tests.runtime.test_wsgi_adapter import AsgiRequest, send_all
from timba.config import asgi

# What reads its body before it authenticates the caller.
READS_FIRST = [
    *("/api/token/", "/api/token", "/api/token/refresh/", "/api/token/revoke/", "/login/"),
    *("/admin/login/", "/timba/client", "/api/clients/"),
]
AUTHENTICATES_FIRST = ["/api/files/", "/api/notes/", "/notes/"]


def test_a_large_body_of_an_unauthenticated_caller_is_not_read() -> None:
    requests = {}
    for path in (*READS_FIRST, *AUTHENTICATES_FIRST):
        requests[path] = AsgiRequest(
            b"{" * 300_000,
            is_complete=False,
            content_length="2000000",
            content_type="application/json",
        )
        requests[path].scope["raw_path"] = path.encode()
    send_all(asgi.application, *requests.values())
    for path, request in requests.items():
        status = 413 if path in READS_FIRST else 401
        assert request.status == status, path
        assert json.loads(request.content)["status"] == status
