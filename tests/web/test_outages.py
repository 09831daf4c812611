"""The pages during outages of the database or the object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as HttpClient
from django.test import RequestFactory
from django.urls import reverse

from tests.clients import api_client_of, browser_of
from tests.conftest import MakeUser
from tests.temperatures.uploads import settle_readings
from timba.config.middleware import DomainErrorMiddleware
from timba.files.storage import StorageUnavailable, store
from timba.notes.models import Note
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db
AWAY = OperationalError(2006, "Server has gone away")
BUSY = "Timba is busy just now. Try again in a moment."


@contextmanager
def database_fails(*, on: str = "", of: str = "", with_: Exception = AWAY) -> Iterator[None]:
    """Let every SQL statement fail that contains both strings."""

    def fail(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if on in sql and of in sql:
            raise with_
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        yield


def assert_busy(page: Any, sentence: str = BUSY) -> None:
    assert page.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert page["Content-Type"].startswith("text/html")
    assert int(page["Retry-After"]) > 0
    html = page.content.decode()
    assert "<h1>Timba is busy</h1>" in html
    assert sentence in html


@pytest.fixture
def http_client(make_user: MakeUser) -> HttpClient:
    return browser_of(make_user())


@pytest.mark.parametrize("on", ["notes_note", ""])
def test_a_page_whose_database_is_busy_says_so(http_client: HttpClient, on: str) -> None:
    with database_fails(on=on):
        assert_busy(http_client.get("/notes/"))
        assert_busy(http_client.post("/notes/", {"title": "Key"}))
    assert not Note.unscoped.exists()
    assert http_client.get("/notes/").status_code == HTTPStatus.OK


def test_sign_in_page_with_a_busy_database_says_so(make_user: MakeUser) -> None:
    form = {"username": make_user().username, "password": "larch"}
    with database_fails():
        assert_busy(HttpClient(headers={"accept": "text/html"}).post("/login/", form))


def test_admin_page_with_a_busy_database_says_so(staff: Any, client_company: Any) -> None:
    note = write_note(actor=staff, client=client_company, title="Key")
    http_client, page = browser_of(staff), reverse("admin:notes_note_change", args=[note.pk])
    with database_fails(on="notes_note"):
        assert_busy(http_client.get(page))


def test_a_program_gets_the_same_as_problem_details(make_user: MakeUser) -> None:
    user = make_user()
    api_client = HttpClient(headers={"accept": "application/json"})
    api_client.force_login(user)
    with database_fails(on="notes_note"):
        responses = [api_client.get("/notes/"), api_client_of(user).get("/api/notes/")]
    for response in responses:
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["detail"] == BUSY


def test_a_download_whose_readings_are_unavailable_says_so(make_user: MakeUser) -> None:
    owner = make_user()
    readings = "7,21.5,2026-01-01T12:00:00Z\n7,22.5,2026-01-01T14:00:00Z\n"
    file = settle_readings(readings, actor=owner)
    for derivative in file.derivatives.all():
        store().delete(derivative.storage_key)
    page = browser_of(owner).get("/temperatures/7/series.csv?bucket=hour")
    assert_busy(page, "Some readings cannot be read just now.")


def test_an_unavailable_object_store_has_its_sentence() -> None:
    request = RequestFactory().get("/files/", headers={"accept": "text/html"})
    response = DomainErrorMiddleware(lambda _: pytest.fail("asked")).process_exception(
        request, StorageUnavailable("no route")
    )
    assert_busy(response, "The store of files cannot be reached just now.")


def broken(request: object) -> dict[str, str]:
    """Fail as a context processor does whose server is unavailable."""
    raise ConnectionRefusedError


@pytest.fixture
def nothing_else_works(settings: Any, tmp_path: Path) -> None:
    """Break the context of templates, and the collected static files."""
    options = {"context_processors": [f"{__name__}.broken"]}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
    collected = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": collected}
    settings.STATIC_ROOT = tmp_path


@pytest.mark.usefixtures("nothing_else_works")
@pytest.mark.parametrize(
    ("error", "status", "fact"),
    [
        (ZeroDivisionError(), 500, "This did not work"),
        (OperationalError(2006, "Server has gone away"), 503, "Timba is busy"),
    ],
    ids=str,
)
def test_error_page_needs_no_context_and_no_static_files(
    http_client: HttpClient, error: Exception, status: int, fact: str
) -> None:
    http_client.raise_request_exception = False
    with database_fails(with_=error):
        page = http_client.get("/notes/")
    assert page.status_code == status
    assert f"<h1>{fact}</h1>" in page.content.decode()
    assert page["X-Request-ID"]
    assert page["Content-Security-Policy"]


def test_failure_to_save_a_session_is_503(staff: Any, client_company: Any) -> None:
    """Django's session middleware raises it, outside the reach of the refusal middleware."""
    http_client = browser_of(staff)
    http_client.raise_request_exception = False
    choice = {"client_id": str(client_company.pk), "next": "/notes/"}
    with database_fails(on="UPDATE", of="django_session"):
        assert_busy(http_client.post("/client/", choice))
        http_client.defaults["HTTP_ACCEPT"] = "application/json"
        response = http_client.post("/client/", choice)
    assert (response.status_code, response.json()["detail"]) == (503, BUSY)


def test_unexpected_errors_are_not_handled() -> None:
    refusals = DomainErrorMiddleware(lambda _: pytest.fail("asked"))
    assert refusals.process_exception(RequestFactory().get("/files/"), OSError("what")) is None
