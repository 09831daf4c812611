"""Programs that call the API pass by the middleware of browsers; nobody else does."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser
from django.test import RequestFactory

from tests.clients import api_client_of
from tests.conftest import MakeUser
from timba.config.quick_middleware import is_from_program

BEARER = {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/temperature-readings/7/", BEARER, True),
        ("HEAD", "/api/notes/", BEARER | {"Accept": "application/json"}, True),
        ("GET", "/timba/log", {"Authorization": "bearer x", "Accept": "*/*"}, True),
        ("POST", "/api/notes/", BEARER, True),
        ("GET", "/health/live", {}, True),
        ("GET", "/api/notes/", {}, False),
        ("GET", "/api/notes/", {"Authorization": "Basic x"}, False),
        ("GET", "/api/notes/", BEARER | {"Accept": "text/html"}, False),
        ("GET", "/api/notes/", BEARER | {"Accept": "text/*"}, False),
        ("GET", "/api/notes/", BEARER | {"Accept": "TEXT/HTML"}, False),
        ("GET", "/api/", BEARER, False),
        ("GET", "/api/docs/", BEARER, False),
        ("GET", "/consignments/", BEARER, False),
        ("GET", "/upload/", BEARER, False),
    ],
)
def test_a_program_calls_the_api_with_a_token_or_checks_the_health(
    method: str, path: str, headers: dict[str, str], expected: bool
) -> None:
    assert is_from_program(RequestFactory().generic(method, path, headers=headers)) is expected


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_programs_and_browsers_get_the_same_headers(make_user: MakeUser) -> None:
    user = make_user()
    browser = Browser()
    browser.force_login(user)
    answers: list[Any] = [api_client_of(user).get("/api/notes/"), browser.get("/api/notes/")]
    program, page = [
        {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
        for answer in answers
    ]
    for headers in (program, page):
        names = headers.pop("Vary").split(", ")
        assert sorted(names) == ["Accept", "Authorization", "Cookie", "Origin"]
    assert program == page
    directives = set(program["Content-Security-Policy"].split("; "))
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= directives
    assert program["X-Frame-Options"] == "DENY"
    assert program["X-Content-Type-Options"] == "nosniff"
    assert [len(answer["X-Request-ID"]) for answer in answers] == [36, 36]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/nowhere/", "/timba/nowhere", "/temperature-readings/x/"])
def test_an_unknown_address_is_404_to_a_program_and_to_a_browser_with_a_token(
    path: str, make_user: MakeUser
) -> None:
    api_client = api_client_of(make_user())
    assert api_client.get(path)["Content-Type"] == "application/problem+json"
    page = api_client.get(path, headers={"Accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
