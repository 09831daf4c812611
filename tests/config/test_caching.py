"""A response may be cached by its caller only, and only with an ETag to revalidate it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from tests.clients import api_client_of, call
from tests.endpoints import API, Endpoint
from tests.factories import Tenant
from tests.temperatures.uploads import settle_readings

pytestmark = pytest.mark.django_db


def cache_headers(response: Any) -> tuple[str, set[str]]:
    vary = {name.strip().lower() for name in response.headers.get("Vary", "").split(",")}
    return response.headers.get("Cache-Control", ""), vary & {"accept", "authorization", "cookie"}


VARY = {"accept", "authorization", "cookie"}


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("endpoint", API, ids=str)
def test_every_response_to_a_program_has_cache_headers(endpoint: Endpoint, tenant: Tenant) -> None:
    response = call(api_client_of(tenant.user), endpoint, tenant.ids)
    policy = "private, no-cache" if "ETag" in response.headers else "no-store"
    assert cache_headers(response) == (policy, VARY)


@pytest.mark.parametrize("path", ["/api/notes/", "/nowhere/", "/api/files/nowhere/", "/health/"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_errors_have_cache_headers(path: str, accept: str, db: None) -> None:
    response = Browser().get(path, headers={"accept": accept})
    assert cache_headers(response) == ("no-store", VARY)


def test_early_errors_have_cache_headers(db: None) -> None:
    for headers in ({"host": "evil.example"}, {"referer": "\0"}):
        response = Browser().get("/api/notes/", headers=headers)
        assert response.status_code == 400
        assert cache_headers(response) == ("no-store", VARY)


def test_a_304_has_the_headers_of_the_200(tenant: Tenant) -> None:
    api_client = api_client_of(tenant.user)
    file = settle_readings("7,21.5,2026-01-01T12:00:00Z\n", actor=tenant.user)
    for path in ("/temperature-readings/7/", f"/api/files/{file.pk}/content/"):
        first = api_client.get(path)
        b"".join(first)
        etag = first["ETag"]
        response = api_client.get(path, headers={"if-none-match": etag})
        assert response.status_code == 304
        assert response["ETag"] == etag
        assert cache_headers(response) == ("private, no-cache", VARY)


def test_rejects_are_not_cached(tenant: Tenant) -> None:
    file = settle_readings("7,21.5,2026-01-01T12:00:00Z\nx\n", actor=tenant.user)
    response = api_client_of(tenant.user).get(f"/api/files/{file.pk}/rejects/")
    b"".join(response)
    assert response.status_code == 200
    assert cache_headers(response) == ("no-store", VARY)


def test_static_files_may_be_cached_by_all(client: Browser) -> None:
    response = client.head("/static/unfold/css/styles.css")
    assert response.status_code == 200
    cache_control, vary = cache_headers(response)
    assert "no-store" not in cache_control
    assert vary == set()
