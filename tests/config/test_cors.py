"""CORS: the headers that scripts of other sites may send and read."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from timba.accounts.tokens import issue_tokens

pytestmark = pytest.mark.django_db
ORIGIN = "https://gate.example"
REQUEST_HEADERS = {
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "tus-resumable",
    "upload-checksum",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-csrftoken",
    "x-http-method-override",
    "x-request-id",
}
RESPONSE_HEADERS = {
    "content-disposition",
    "content-range",
    "etag",
    "location",
    "repr-digest",
    "retry-after",
    "timba-file-id",
    "timba-task-id",
    "tus-checksum-algorithm",
    "tus-extension",
    "tus-max-size",
    "tus-resumable",
    "tus-version",
    "upload-expires",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-request-id",
}


@pytest.fixture(autouse=True)
def _origin(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


def preflight(origin: str = ORIGIN) -> dict[str, str]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(sorted(REQUEST_HEADERS)),
    }
    response = Browser().options("/api/notes/", headers=headers)
    assert response.status_code == 200
    return dict(response.items())


def test_every_request_header_of_timba_is_allowed() -> None:
    response = preflight()
    assert response["access-control-allow-origin"] == ORIGIN
    assert names(response["access-control-allow-headers"]) >= REQUEST_HEADERS


def test_every_response_header_of_timba_is_exposed(make_user: MakeUser) -> None:
    token = issue_tokens(user=make_user()).access
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token}"}
    response = Browser().get("/api/notes/", headers=headers)
    assert response.status_code == 200
    assert names(response["access-control-expose-headers"]) >= RESPONSE_HEADERS


def test_other_origins_get_no_cors_headers() -> None:
    response = preflight("https://elsewhere.example")
    assert not [name for name in response if name.lower().startswith("access-control")]
