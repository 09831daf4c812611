"""What a browser is shown while something that a page needs is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as Person
from django.test import RequestFactory
from django.urls import reverse

from tests.conftest import AsUser, MakeUser
from tests.temperatures.uploads import settle_readings
from tests.web.conftest import SignIn
from timba.config.middleware import RefusalMiddleware
from timba.files.storage import StoreAway, store
from timba.notes.models import Note
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db
BUSY = "Timba is busy just now. Try again in a moment."


@contextmanager
def database_fails(*, on: str = "") -> Iterator[None]:
    """Have the database give up whatever it is asked that holds these words."""

    def give_up(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if on in sql:
            raise OperationalError(2006, "Server has gone away")
        return execute(sql, *arguments)

    with connection.execute_wrapper(give_up):
        yield


def assert_busy(page: Any, sentence: str = BUSY) -> None:
    assert page.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert page["Content-Type"].startswith("text/html")
    assert int(page["Retry-After"]) > 0
    said = page.content.decode()
    assert "<h1>Timba is busy</h1>" in said
    assert sentence in said


@pytest.fixture
def reader(make_user: MakeUser, person: SignIn) -> Person:
    return person(make_user())


@pytest.mark.parametrize("on", ["notes_note", ""])
def test_a_page_whose_database_is_busy_says_so(reader: Person, on: str) -> None:
    with database_fails(on=on):
        assert_busy(reader.get("/notes/"))
        assert_busy(reader.post("/notes/", {"title": "Key"}))
    assert not Note.unscoped.exists()
    assert reader.get("/notes/").status_code == HTTPStatus.OK


def test_so_does_the_way_in(make_user: MakeUser) -> None:
    form = {"username": make_user().username, "password": "larch"}
    with database_fails():
        assert_busy(Person(headers={"accept": "text/html"}).post("/login/", form))


def test_so_do_the_pages_of_staff(staff: Any, client_company: Any, person: SignIn) -> None:
    note = write_note(actor=staff, client=client_company, title="Key")
    reader, page = person(staff), reverse("admin:notes_note_change", args=[note.pk])
    with database_fails(on="notes_note"):
        assert_busy(reader.get(page))


def test_a_program_is_told_the_same_in_its_own_words(make_user: MakeUser, as_user: AsUser) -> None:
    user = make_user()
    program = Person(headers={"accept": "application/json"})
    program.force_login(user)
    with database_fails(on="notes_note"):
        answers = [program.get("/notes/"), as_user(user).get("/api/notes/")]
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"] == BUSY


def test_a_page_whose_readings_are_away_says_so(make_user: MakeUser, person: SignIn) -> None:
    owner = make_user()
    readings = "7,21.5,2026-01-01T12:00:00Z\n7,22.5,2026-01-01T14:00:00Z\n"
    file = settle_readings(readings, actor=owner)
    for derivative in file.derivatives.all():
        store().delete(derivative.storage_key)
    page = person(owner).get("/temperatures/7/?from=2026-01-01T13:00:00Z")
    assert_busy(page, "Some readings cannot be read just now.")


def test_a_store_that_is_away_is_said_as_at_the_other_doors() -> None:
    request = RequestFactory().get("/files/", headers={"accept": "text/html"})
    answer = RefusalMiddleware(lambda _: pytest.fail("asked")).process_exception(
        request, StoreAway("no route")
    )
    assert_busy(answer, "The store of files cannot be reached just now.")


def test_what_nobody_expected_is_no_refusal() -> None:
    refusals = RefusalMiddleware(lambda _: pytest.fail("asked"))
    assert refusals.process_exception(RequestFactory().get("/files/"), OSError("what")) is None
