"""Sign-in and sign-out on the pages, and the client selected by platform staff."""

from __future__ import annotations

import io
from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import post_init
from django.test import Client as HttpClient

from tests.clients import browser_of
from tests.factories import PASSWORD, ClientFactory
from timba.accounts import sign_in as sign_in_service
from timba.accounts.models import Client, User
from timba.accounts.rate_limit import ConcurrencyLimiter
from timba.notes.services import write_note
from timba.web.pages import MAX_LISTED_CLIENTS

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
HTML = {"accept": "text/html"}


def post_credentials(username: str, password: str, next_page: str = "") -> object:
    form = {"username": username, "password": password, "next": next_page}
    return HttpClient(headers=HTML).post("/login/", form)


def test_anonymous_user_signs_in_and_returns_to_the_page(make_user: MakeUser) -> None:
    stranger = HttpClient(headers=HTML)
    response = stranger.get("/notes/?q=key")
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == "/login/?next=%2Fnotes%2F%3Fq%3Dkey"
    page = stranger.get(response["Location"]).content.decode()
    assert "Then you go on to the page you asked for." in page
    form = {"username": make_user().username, "password": PASSWORD, "next": "/notes/?q=key"}
    assert stranger.post("/login/", form)["Location"] == "/notes/?q=key"


def test_program_without_session_is_rejected_not_redirected() -> None:
    response = HttpClient().get("/files/")
    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response["Content-Type"] == "application/problem+json"


def test_anonymous_request_for_a_fragment_reloads_the_page() -> None:
    response = HttpClient(headers={**HTML, "HX-Request": "true"}).get("/files/")
    assert response["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""]
)
def test_sign_in_never_redirects_to_another_host(make_user: MakeUser, elsewhere: str) -> None:
    assert (
        post_credentials(make_user().username, PASSWORD, elsewhere)["Location"] == "/consignments/"
    )


@pytest.mark.parametrize("username", ["known", "unknown", "with\0nul", "x" * 200, ""])
def test_wrong_credentials_are_rejected_in_place(make_user: MakeUser, username: str) -> None:
    make_user(username="known")
    response = post_credentials(username, "wrong" if username else "")
    page = response.content.decode()
    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert 'role="alert"' in page
    assert 'value="wrong"' not in page


def test_fifth_failure_is_rate_limited(make_user: MakeUser) -> None:
    user = make_user()
    for _ in range(5):
        post_credentials(user.username, "wrong")
    response = post_credentials(user.username, PASSWORD)
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert 0 < int(response["Retry-After"]) <= 900
    assert "There were too many attempts" in response.content.decode()


def test_too_many_concurrent_sign_ins_are_told_to_wait(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = ConcurrencyLimiter(at_once=1, waiting=0)
    monkeypatch.setattr(sign_in_service, "_sign_in_limiter", limiter)
    user = make_user()
    with limiter.slot("elsewhere"):
        response = post_credentials(user.username, PASSWORD)
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(response["Retry-After"]) > 0
    assert f'value="{user.username}"' in response.content.decode()


def test_signing_out_ends_the_session(make_user: MakeUser) -> None:
    http_client = browser_of(make_user())
    assert http_client.get("/logout/").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert http_client.post("/logout/")["Location"] == "/login/"
    assert http_client.get("/files/").status_code == HTTPStatus.FOUND


def test_user_without_access_is_not_redirected_in_a_loop(make_user: MakeUser) -> None:
    response = browser_of(make_user()).get("/admin/", follow=True)
    assert response.status_code == HTTPStatus.OK
    assert "Then you go on to the page you asked for." in response.content.decode()


def test_forms_without_a_csrf_token_are_rejected(make_user: MakeUser) -> None:
    http_client = HttpClient(headers=HTML, enforce_csrf_checks=True)
    http_client.force_login(make_user())
    response = http_client.post("/notes/", {"title": "Key"})
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "This is not allowed" in response.content.decode()


class TestForms:
    """The body of a form is read only with a session, and files in it never."""

    class Unread(io.BytesIO):
        """A body that must not be read."""

        def read(self, *_: object) -> bytes:
            raise AssertionError("the form was read")

    @pytest.mark.parametrize("address", ["/notes/", "/admin/accounts/client/add/", "/logout/"])
    def test_body_of_an_anonymous_request_is_not_read(self, db: None, address: str) -> None:
        stranger = HttpClient(headers=HTML, enforce_csrf_checks=True)
        response = stranger.generic(
            "POST",
            address,
            content_type="application/x-www-form-urlencoded",
            **{"wsgi.input": self.Unread(), "CONTENT_LENGTH": "10"},
        )
        assert response.status_code == HTTPStatus.FOUND
        assert response["Location"].startswith("/login/?next=")

    @pytest.mark.parametrize("address", ["/notes/", "/login/"])
    def test_form_with_a_file_is_rejected(self, make_user: MakeUser, address: str) -> None:
        note = SimpleUploadedFile("note.txt", b"larch")
        response = browser_of(make_user()).post(address, {"title": "Seal", "file": note})
        assert response.status_code == HTTPStatus.BAD_REQUEST


class TestStaff:
    """Platform staff see all clients' rows until they choose one."""

    @pytest.fixture
    def other(self) -> Client:
        return ClientFactory(name="Venta Timber")

    @pytest.fixture
    def notes(self, staff: User, client_company: Client, other: Client) -> None:
        write_note(actor=staff, client=client_company, title="Gate key")
        write_note(actor=staff, client=other, title="Ferry on Friday")

    def test_rows_of_all_clients_are_shown_until_one_is_chosen(
        self, staff: User, other: Client, notes: None
    ) -> None:
        http_client = browser_of(staff)
        page = http_client.get("/notes/").content.decode()
        assert "Gate key" in page
        assert "Ferry on Friday" in page
        assert "Add note" not in page
        http_client.post("/client/", {"client_id": other.pk, "next": "/notes/"})
        page = http_client.get("/notes/").content.decode()
        assert "Gate key" not in page
        assert "Ferry on Friday" in page
        assert "Add note" in page

    def test_the_only_client_is_selected(self, staff: User, client_company: Client) -> None:
        assert "Add note" in browser_of(staff).get("/notes/").content.decode()

    def test_member_cannot_choose_another_client(
        self, make_user: MakeUser, other: Client, notes: None
    ) -> None:
        http_client = browser_of(make_user())
        http_client.post("/client/", {"client_id": other.pk})
        assert "Ferry on Friday" not in http_client.get("/notes/").content.decode()


class TestManyClients:
    """With too many clients to list, pages load only a few, and staff search by name."""

    MANY = 3 * MAX_LISTED_CLIENTS

    @pytest.fixture
    def http_client(self, staff: User) -> HttpClient:
        Client.objects.bulk_create(Client(name=f"Sawmill {n:03}") for n in range(self.MANY))
        return browser_of(staff)

    @pytest.mark.parametrize("path", ["/notes/", "/consignments/", "/files/", "/files/rows/"])
    def test_no_page_and_no_fragment_loads_all_clients(
        self, http_client: HttpClient, path: str
    ) -> None:
        loaded: list[str] = []

        def note(instance: Client, **_: object) -> None:
            loaded.append(instance.name)

        post_init.connect(note, sender=Client)
        try:
            page = http_client.get(path)
        finally:
            post_init.disconnect(note, sender=Client)
        assert page.status_code == HTTPStatus.OK
        assert len(loaded) <= MAX_LISTED_CLIENTS + 3
        assert "Sawmill" not in page.content.decode()

    def test_client_is_found_by_name_and_chosen(self, http_client: HttpClient) -> None:
        page = http_client.get(
            "/clients/", {"q": "sawMILL 117", "next": "/notes/"}
        ).content.decode()
        wanted = Client.unscoped.get(name="Sawmill 117")
        assert page.count('name="client_id"') == 2
        assert f'value="{wanted.pk}">Sawmill 117</button>' in page
        response = http_client.post("/client/", {"client_id": wanted.pk, "next": "/notes/"})
        assert response["Location"] == "/notes/"
        assert "Sawmill 117" in http_client.get("/notes/").content.decode()

    def test_long_list_of_clients_is_cut(self, http_client: HttpClient) -> None:
        page = http_client.get("/clients/").content.decode()
        assert page.count("</button></p>") == 2 + MAX_LISTED_CLIENTS
        assert f"There are more than {MAX_LISTED_CLIENTS}: type more of the name." in page

    def test_only_staff_may_search_clients(self, make_user: MakeUser) -> None:
        assert browser_of(make_user()).get("/clients/")["Location"] == "/"
