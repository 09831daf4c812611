"""Who may keep an answer: its caller alone, and only where it carries an ETag to ask again with."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from tests.callers import Caller, caller
from tests.conftest import AsUser
from tests.contract.every import DOCUMENTED, named
from tests.doors import Door
from tests.factories import Tenant
from tests.temperatures.uploads import settle_readings

pytestmark = pytest.mark.django_db


def said_of_caches(answer: Any) -> tuple[str, set[str]]:
    vary = {name.strip().lower() for name in answer.headers.get("Vary", "").split(",")}
    return answer.headers.get("Cache-Control", ""), vary & {"accept", "authorization", "cookie"}


EACH = {"accept", "authorization", "cookie"}


@pytest.fixture
def good(door: Door, method: str, tenant: Tenant) -> Caller:
    return caller(door, method, user=tenant.user, tenant=tenant)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("door", "method"), named(DOCUMENTED))
def test_every_answer_to_a_program_says_it(door: Door, method: str, good: Caller) -> None:
    answer = good.ask()
    kept = "private, no-cache" if "ETag" in answer.headers else "no-store"
    assert said_of_caches(answer) == (kept, EACH)


@pytest.mark.parametrize("path", ["/api/notes/", "/nowhere/", "/api/files/nowhere/", "/health/"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_refusals_say_it_too(path: str, accept: str, db: None) -> None:
    answer = Browser().get(path, headers={"accept": accept})
    assert said_of_caches(answer) == ("no-store", EACH)


def test_so_do_a_host_that_is_not_served_and_a_malformed_header(db: None) -> None:
    for headers in ({"host": "evil.example"}, {"referer": "\0"}):
        answer = Browser().get("/api/notes/", headers=headers)
        assert answer.status_code == 400
        assert said_of_caches(answer) == ("no-store", EACH)


def test_what_has_not_changed_may_be_kept_on(tenant: Tenant, as_user: AsUser) -> None:
    program = as_user(tenant.user)
    file = settle_readings("7,21.5,2026-01-01T12:00:00Z\n", actor=tenant.user)
    for path in ("/temperature-readings/7/", f"/api/files/{file.pk}/content/"):
        first = program.get(path)
        b"".join(first)
        etag = first["ETag"]
        answer = program.get(path, headers={"if-none-match": etag})
        assert answer.status_code == 304
        assert answer["ETag"] == etag
        assert said_of_caches(answer) == ("private, no-cache", EACH)


def test_rejects_and_tokens_are_kept_by_nobody(tenant: Tenant, as_user: AsUser) -> None:
    file = settle_readings("7,21.5,2026-01-01T12:00:00Z\nx\n", actor=tenant.user)
    answer = as_user(tenant.user).get(f"/api/files/{file.pk}/rejects/")
    b"".join(answer)
    assert answer.status_code == 200
    assert said_of_caches(answer) == ("no-store", EACH)


def test_static_files_are_everybodys(client: Browser) -> None:
    answer = client.head("/static/unfold/css/styles.css")
    assert answer.status_code == 200
    cache_control, vary = said_of_caches(answer)
    assert "no-store" not in cache_control
    assert vary == set()
