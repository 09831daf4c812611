"""What programs in other sites' pages may send and read, as their browsers ask before."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from timba.accounts.tokens import issue_tokens

pytestmark = pytest.mark.django_db
ORIGIN = "https://gate.example"
SENT = {
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "x-csrftoken",
    "x-request-id",
}
READ = {
    "content-disposition",
    "content-range",
    "etag",
    "location",
    "repr-digest",
    "retry-after",
    "x-request-id",
}


@pytest.fixture(autouse=True)
def _origin(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]


def names(listed: str) -> set[str]:
    return {name.strip().lower() for name in listed.split(",")}


def ask_before(origin: str = ORIGIN) -> dict[str, str]:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(sorted(SENT)),
    }
    answer = Browser().options("/api/notes/", headers=asked)
    assert answer.status_code == 200
    return dict(answer.items())


def test_every_header_that_timba_knows_may_be_sent() -> None:
    answer = ask_before()
    assert answer["access-control-allow-origin"] == ORIGIN
    assert names(answer["access-control-allow-headers"]) >= SENT


def test_every_header_that_timba_answers_with_may_be_read(make_user: MakeUser) -> None:
    token = issue_tokens(user=make_user()).access
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token}"}
    answer = Browser().get("/api/notes/", headers=headers)
    assert answer.status_code == 200
    assert names(answer["access-control-expose-headers"]) >= READ


def test_other_sites_are_told_nothing() -> None:
    answer = ask_before("https://elsewhere.example")
    assert not [name for name in answer if name.lower().startswith("access-control")]
