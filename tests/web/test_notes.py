"""The notes' pages, as a browser without any script would use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client as Person
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.factories import ClientFactory
from tests.web.conftest import SignIn
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.notes.models import Note
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def reader(owner: User, person: SignIn) -> Person:
    return person(owner)


@pytest.fixture
def note(owner: User, client_company: Client) -> Note:
    return write_note(actor=owner, client=client_company, title="Key", content="Andris has it")


@pytest.fixture
def foreign_note() -> Note:
    client = ClientFactory()
    consignment = Consignment.unscoped.create(client=client, name="VT-1", type="pinewood")
    return Note.unscoped.create(client=client, title="Theirs", consignment=consignment)


def test_note_is_added_with_its_consignment(reader: Person, client_company: Client) -> None:
    load = Consignment.unscoped.create(client=client_company, name="AB-0187", type="pinewood")
    form = {"title": "Buyer called", "content": "40 m³\r\nof pine", "consignment_id": load.pk}
    assert reader.post("/notes/", form)["Location"] == "/notes/"
    note = Note.unscoped.get()
    assert (note.title, note.consignment, note.client) == ("Buyer called", load, client_company)
    page = reader.get("/notes/").content.decode()
    assert "Buyer called" in page
    assert "AB-0187" in page


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"title": " ", "content": "x"}, "A note needs a title."),
        ({"title": "x" * 101}, "at most 100 characters"),
        ({"title": "nul\0"}, "Null characters are not allowed."),
        ({"title": "Long", "content": "ž" * 100_001}, "This is more text than a note holds."),
    ],
)
def test_what_cannot_be_kept_is_said_beside_its_field_and_stays_typed(
    reader: Person, form: dict[str, str], sentence: str
) -> None:
    response = reader.post("/notes/", form)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert sentence in response.content.decode()
    assert not Note.unscoped.exists()


def test_consignments_of_others_cannot_be_chosen(reader: Person, foreign_note: Note) -> None:
    response = reader.post("/notes/", {"title": "x", "consignment_id": foreign_note.consignment_id})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "VT-1" not in response.content.decode()


def test_note_is_changed_and_shown_by_itself(reader: Person, note: Note) -> None:
    assert "Andris has it" in reader.get(f"/notes/{note.pk}/edit/").content.decode()
    response = reader.post(f"/notes/{note.pk}/edit/", {"title": "Key", "content": "Ilze has it"})
    assert response["Location"] == f"/notes/{note.pk}/"
    assert "Ilze has it" in reader.get(response["Location"]).content.decode()


def test_note_is_deleted(reader: Person, note: Note) -> None:
    assert reader.post(f"/notes/{note.pk}/delete/")["Location"] == "/notes/"
    assert not Note.unscoped.exists()


@pytest.mark.parametrize("where", ["", "edit/", "delete/"])
def test_foreign_and_absent_notes_are_the_same_page(
    reader: Person, foreign_note: Note, where: str
) -> None:
    ask = reader.post if where else reader.get
    foreign, absent = (ask(f"/notes/{pk}/{where}") for pk in (foreign_note.pk, 2**70))
    assert foreign.status_code == absent.status_code == HTTPStatus.NOT_FOUND
    assert "The page you asked for does not exist" in foreign.content.decode()
    assert Note.unscoped.filter(pk=foreign_note.pk).exists()


def test_search_finds_titles_and_texts(reader: Person, note: Note) -> None:
    assert "Andris has it" in reader.get("/notes/?q=andris").content.decode()
    assert "No note matches" in reader.get("/notes/?q=nobody").content.decode()
    assert reader.get("/notes/?q=nul%00").status_code == HTTPStatus.BAD_REQUEST


def test_viewer_reads_and_cannot_write(make_user: MakeUser, note: Note, person: SignIn) -> None:
    viewer = person(make_user("viewer"))
    page = viewer.get("/notes/").content.decode()
    assert "Andris has it" in page
    assert "Add note" not in page
    assert "Delete" not in page
    response = viewer.post(f"/notes/{note.pk}/delete/")
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "Your role does not allow this" in response.content.decode()


def test_lapsed_client_reads_and_is_told_why_it_cannot_write(
    reader: Person, note: Note, client_company: Client
) -> None:
    client_company.subscription.current_period_end = timezone.now() - timedelta(days=1)
    client_company.subscription.save()
    page = reader.get("/notes/").content.decode()
    assert "Andris has it" in page
    assert "The subscription lapsed on" in page
    response = reader.post("/notes/", {"title": "One more"})
    assert response.status_code == HTTPStatus.PAYMENT_REQUIRED


def test_what_was_typed_is_shown_as_text(owner: User, reader: Person) -> None:
    write_note(actor=owner, client=owner.client, title="<script>alert(1)</script>", content="<b>")
    page = reader.get("/notes/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_list_takes_the_same_queries_however_long_it_is(
    owner: User, reader: Person, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        write_note(actor=owner, client=owner.client, title=f"Note {number}")
    with django_assert_num_queries(6):
        page = reader.get("/notes/").content.decode()
    assert page.count('<li class="note"') == 50
    assert "Note 9<" in reader.get("/notes/?page=2").content.decode()
