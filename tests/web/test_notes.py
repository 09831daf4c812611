"""The pages of notes, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client as HttpClient
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.clients import browser_of
from tests.factories import ClientFactory
from tests.web.conftest import show_more
from timba.accounts.models import Client, User
from timba.consignments.models import Consignment
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.web.forms import MAX_LISTED_CONSIGNMENTS

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


@pytest.fixture
def note(owner: User, client_company: Client) -> Note:
    return write_note(actor=owner, client=client_company, title="Key", content="Andris has it")


@pytest.fixture
def foreign_note() -> Note:
    client = ClientFactory()
    consignment = Consignment.unscoped.create(client=client, name="VT-1", type="pinewood")
    return Note.unscoped.create(client=client, title="Theirs", consignment=consignment)


def test_note_is_added_with_its_consignment(
    http_client: HttpClient, client_company: Client
) -> None:
    load = Consignment.unscoped.create(client=client_company, name="AB-0187", type="pinewood")
    form = {"title": "Buyer called", "content": "40 m³\r\nof pine", "consignment_id": load.pk}
    assert http_client.post("/notes/", form)["Location"] == "/notes/"
    note = Note.unscoped.get()
    assert (note.title, note.consignment, note.client) == ("Buyer called", load, client_company)
    page = http_client.get("/notes/").content.decode()
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
def test_invalid_note_is_rejected_beside_its_field_and_kept_in_the_form(
    http_client: HttpClient, form: dict[str, str], sentence: str
) -> None:
    response = http_client.post("/notes/", form)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert sentence in response.content.decode()
    assert not Note.unscoped.exists()


def test_consignments_of_others_cannot_be_chosen(
    http_client: HttpClient, foreign_note: Note
) -> None:
    response = http_client.post(
        "/notes/", {"title": "x", "consignment_id": foreign_note.consignment_id}
    )
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "VT-1" not in response.content.decode()


def test_note_is_changed_and_shown_by_itself(http_client: HttpClient, note: Note) -> None:
    assert "Andris has it" in http_client.get(f"/notes/{note.pk}/edit/").content.decode()
    response = http_client.post(
        f"/notes/{note.pk}/edit/", {"title": "Key", "content": "Ilze has it"}
    )
    assert response["Location"] == f"/notes/{note.pk}/"
    assert "Ilze has it" in http_client.get(response["Location"]).content.decode()


def test_note_is_deleted(http_client: HttpClient, note: Note) -> None:
    assert http_client.post(f"/notes/{note.pk}/delete/")["Location"] == "/notes/"
    assert not Note.unscoped.exists()


@pytest.mark.parametrize("where", ["", "edit/", "delete/"])
def test_foreign_and_absent_notes_are_the_same_page(
    http_client: HttpClient, foreign_note: Note, where: str
) -> None:
    ask = http_client.post if where else http_client.get
    foreign, absent = (ask(f"/notes/{pk}/{where}") for pk in (foreign_note.pk, 2**70))
    assert foreign.status_code == absent.status_code == HTTPStatus.NOT_FOUND
    assert "The page you asked for does not exist" in foreign.content.decode()
    assert Note.unscoped.filter(pk=foreign_note.pk).exists()


def test_search_finds_titles_and_texts(http_client: HttpClient, note: Note) -> None:
    assert "Andris has it" in http_client.get("/notes/?q=andris").content.decode()
    assert "No note matches" in http_client.get("/notes/?q=nobody").content.decode()
    assert http_client.get("/notes/?q=nul%00").status_code == HTTPStatus.BAD_REQUEST


def test_viewer_reads_and_cannot_write(make_user: MakeUser, note: Note) -> None:
    viewer = browser_of(make_user("viewer"))
    page = viewer.get("/notes/").content.decode()
    assert "Andris has it" in page
    assert "Add note" not in page
    assert "Delete" not in page
    response = viewer.post(f"/notes/{note.pk}/delete/")
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "Your role does not allow this" in response.content.decode()


def test_lapsed_client_reads_and_is_told_why_it_cannot_write(
    http_client: HttpClient, note: Note, client_company: Client
) -> None:
    client_company.subscription.current_period_end = timezone.now() - timedelta(days=1)
    client_company.subscription.save()
    page = http_client.get("/notes/").content.decode()
    assert "Andris has it" in page
    assert "The subscription lapsed on" in page
    response = http_client.post("/notes/", {"title": "One more"})
    assert response.status_code == HTTPStatus.PAYMENT_REQUIRED


def test_typed_text_is_escaped(owner: User, http_client: HttpClient) -> None:
    write_note(actor=owner, client=owner.client, title="<script>alert(1)</script>", content="<b>")
    page = http_client.get("/notes/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_list_takes_the_same_queries_however_long_it_is(
    owner: User, http_client: HttpClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        write_note(actor=owner, client=owner.client, title=f"Note {number}")
    with django_assert_num_queries(6):
        page = http_client.get("/notes/?q=Note").content.decode()
    rest = show_more(http_client, "/notes/", page)
    titles = re.findall(r"<h2>Note (\d+)</h2>", page + rest)
    assert titles == [str(number) for number in range(59, -1, -1)]
    assert page.count('<li class="note"') == 50
    assert "Show the newest" in rest


class TestManyConsignments:
    """A client may have more consignments than a page can hold."""

    @pytest.fixture
    def loads(self, client_company: Client) -> list[Consignment]:
        """Return more consignments than are listed, oldest first."""
        Consignment.unscoped.bulk_create(
            Consignment(client=client_company, name=f"AB-{number}", type="pinewood")
            for number in range(MAX_LISTED_CONSIGNMENTS + 50)
        )
        return list(Consignment.unscoped.order_by("pk"))

    def test_the_newest_are_listed_in_a_constant_number_of_queries(
        self,
        http_client: HttpClient,
        note: Note,
        loads: list[Consignment],
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        with django_assert_num_queries(7):
            page = http_client.get("/notes/?new=1").content.decode()
        assert offered(page) == [load.pk for load in loads[: -MAX_LISTED_CONSIGNMENTS - 1 : -1]]
        Consignment.unscoped.filter(pk__lt=loads[-2].pk).delete()
        with django_assert_num_queries(7):
            page = http_client.get("/notes/?new=1").content.decode()
        assert offered(page) == [loads[-1].pk, loads[-2].pk]

    def test_the_current_consignment_of_the_note_is_listed_too(
        self,
        http_client: HttpClient,
        note: Note,
        loads: list[Consignment],
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        Note.unscoped.update(consignment=loads[0])
        with django_assert_num_queries(10):
            page = http_client.get(f"/notes/{note.pk}/edit/").content.decode()
        assert len(offered(page)) == MAX_LISTED_CONSIGNMENTS + 1
        assert f'<option value="{loads[0].pk}" selected>AB-0</option>' in page

    def test_the_selected_consignment_of_a_rejected_note_is_listed_too(
        self, http_client: HttpClient, loads: list[Consignment]
    ) -> None:
        page = http_client.post("/notes/", {"title": "", "consignment_id": loads[3].pk})
        assert f'<option value="{loads[3].pk}" selected>AB-3</option>' in page.content.decode()

    @pytest.mark.parametrize("chosen", ["x", "-1", "0", str(2**70), "nul\0"])
    def test_an_id_without_a_consignment_is_rejected_and_not_listed(
        self, http_client: HttpClient, loads: list[Consignment], chosen: str
    ) -> None:
        response = http_client.post("/notes/", {"title": "Key", "consignment_id": chosen})
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert len(offered(response.content.decode())) == MAX_LISTED_CONSIGNMENTS

    def test_an_unlisted_consignment_may_be_chosen(
        self, http_client: HttpClient, loads: list[Consignment]
    ) -> None:
        http_client.post("/notes/", {"title": "Key", "consignment_id": loads[0].pk})
        assert Note.unscoped.get().consignment == loads[0]


def offered(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'<option value="(\d+)"', page)]
