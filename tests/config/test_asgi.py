"""The ASGI application rejects large bodies of unauthenticated callers without reading them."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from tests.asgi import AsgiRequest, send_all
from timba.config import asgi


@pytest.mark.parametrize(
    ("path", "status"),
    [
        # These read the body before they authenticate the caller.
        ("/api/token/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/api/token", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/api/token/refresh/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/api/token/revoke/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/login/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/admin/login/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/timba/client", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("/api/clients/", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        # These authenticate first, and read nothing.
        ("/api/files/", HTTPStatus.UNAUTHORIZED),
        ("/api/notes/", HTTPStatus.UNAUTHORIZED),
        ("/notes/", HTTPStatus.UNAUTHORIZED),
    ],
)
def test_a_large_body_of_an_unauthenticated_caller_is_not_read(
    path: str, status: HTTPStatus
) -> None:
    request = AsgiRequest(
        b"{" * 300_000, is_complete=False, content_length="2000000", content_type="application/json"
    )
    request.scope["raw_path"] = path.encode()
    send_all(asgi.application, request)
    assert request.status == status
    assert json.loads(request.content)["status"] == status
