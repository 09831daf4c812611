"""Addresses of forms: a GET there shows the page of the form."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client as HttpClient

from tests.clients import browser_of
from tests.factories import PASSWORD, Tenant, create_tenant
from tests.pages import PAGES
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.notes.models import Note
from timba.web.urls import urlpatterns

pytestmark = pytest.mark.django_db
HTML = {"accept": "text/html"}
HOST = "http://testserver"
# The first takes POST only, the second has no page and needs a query.
NO_PAGE = {"logout/", "temperatures/{city_id}/series.csv"}
PATHS = {endpoint.path for endpoint in PAGES if endpoint.path != "upload/"}


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(word="Dzirnupe", first_id=7_000_001)


@pytest.fixture
def http_client(tenant: Tenant) -> HttpClient:
    return browser_of(tenant.user)


def filled(address: str, tenant: Tenant) -> str:
    return address.format(**tenant.ids)


def heads(page: Any) -> list[tuple[str, str]]:
    return re.findall(r"<(title|h1)[^>]*>(.*?)</\1>", page.content.decode())


def pieces(page: Any) -> set[str]:
    return {piece.name for piece in page.templates if piece.name.startswith("web/")}


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/consignments/{consignment_id}/delete/", "/consignments/{consignment_id}/edit/"),
        ("/consignments/{consignment_id}/logs/", "/consignments/{consignment_id}/"),
        ("/consignments/{consignment_id}/notes/", "/consignments/{consignment_id}/"),
        ("/logs/{log_id}/delete/", "/logs/{log_id}/edit/"),
        ("/files/retry-failed/", "/files/"),
        ("/files/{file_id}/place/", "/files/{file_id}/"),
        ("/files/{file_id}/retry/", "/files/{file_id}/"),
        ("/files/{file_id}/delete/", "/files/{file_id}/"),
        ("/temperatures/{city_id}/name/", "/temperatures/{city_id}/"),
        ("/notes/{note_id}/delete/", "/notes/{note_id}/"),
        ("/people/roles/", "/people/"),
        ("/people/roles/{role_id}/delete/", "/people/roles/{role_id}/"),
        ("/people/{user_id}/password/", "/people/{user_id}/"),
        ("/people/{user_id}/delete/", "/people/{user_id}/"),
        ("/account/password/", "/account/"),
        ("/client/", "/consignments/"),
    ],
)
def test_get_at_the_address_of_a_form_shows_its_page(
    tenant: Tenant, http_client: HttpClient, address: str, page: str
) -> None:
    found = http_client.get(filled(address, tenant), follow=True)
    meant = http_client.get(filled(page, tenant))
    assert found.status_code == meant.status_code == HTTPStatus.OK
    assert heads(found) == heads(meant)
    assert pieces(found) == pieces(meant)
    assert http_client.head(filled(address, tenant), follow=True).status_code == HTTPStatus.OK


def test_get_at_every_address_succeeds_and_changes_nothing(
    tenant: Tenant, http_client: HttpClient
) -> None:
    assert len(PATHS) == len(urlpatterns)
    for path in PATHS - NO_PAGE:
        page = http_client.get("/" + path.format(**tenant.ids), follow=True)
        assert page.status_code == HTTPStatus.OK, path
    assert Note.unscoped.filter(pk=tenant.note.pk).exists()
    assert Consignment.unscoped.filter(pk=tenant.consignment.pk).exists()
    assert File.unscoped.live().filter(pk=tenant.file.pk).exists()
    assert http_client.get("/account/").status_code == HTTPStatus.OK


def test_page_of_a_rejected_note_refreshes_at_its_address(
    tenant: Tenant, http_client: HttpClient
) -> None:
    address = filled("/consignments/{consignment_id}/notes/", tenant)
    refused = http_client.post(address, {"title": "", "content": "Ilze has it"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    anew = http_client.get(address)
    # The script follows no redirects, because those lead to the sign-in page.
    assert anew.status_code == HTTPStatus.OK
    live = re.compile(r'id="([\w-]+)"[^>]* data-live')
    assert live.findall(anew.content.decode()) == live.findall(refused.content.decode()) != []


@pytest.mark.parametrize("method", ["put", "delete"])
def test_other_methods_get_an_error_page(http_client: HttpClient, method: str) -> None:
    response = getattr(http_client, method)("/notes/")
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert response["Allow"] == "GET, HEAD, POST"
    assert response["Content-Type"].startswith("text/html")
    assert "There is nothing to read at this address" in response.content.decode()


class TestSessionIsOver:
    """A form sent after the session ended redirects to sign-in, and then back to its page."""

    @pytest.fixture
    def address(self, tenant: Tenant) -> str:
        return filled("/consignments/{consignment_id}/notes/", tenant)

    def post_then_sign_in(self, user: User, address: str, **headers: str) -> tuple[str, Any]:
        """Send a form without a session, then sign in; return the final address and response."""
        stranger = HttpClient(headers={**HTML, **headers})
        sent = stranger.post(address, {"title": "Key"})
        assert sent.status_code == HTTPStatus.FOUND
        [wanted] = parse_qs(urlsplit(sent["Location"]).query)["next"]
        form = {"username": user.username, "password": PASSWORD, "next": wanted}
        response = stranger.post("/login/", form, follow=True)
        return response.redirect_chain[-1][0], response

    def test_redirects_to_the_page_of_the_form(self, tenant: Tenant, address: str) -> None:
        page = filled("/consignments/{consignment_id}/", tenant)
        where, response = self.post_then_sign_in(
            tenant.user, address, referer=f"{HOST}{page}?cursor=Wzld"
        )
        assert where == f"{page}?cursor=Wzld"
        assert response.status_code == HTTPStatus.OK

    @pytest.mark.parametrize("referer", ["", "https://elsewhere.example/", "//elsewhere.example"])
    def test_without_referer_redirects_to_the_page_of_the_address(
        self, tenant: Tenant, address: str, referer: str
    ) -> None:
        _, response = self.post_then_sign_in(tenant.user, address, referer=referer)
        assert response.status_code == HTTPStatus.OK
        assert f"<h1>{tenant.consignment.name}" in response.content.decode()

    def test_redirects_home_from_an_endpoint_without_a_page(self, tenant: Tenant) -> None:
        where, response = self.post_then_sign_in(
            tenant.user, filled("/api/files/{file_id}/retry/", tenant)
        )
        assert where == "/consignments/"
        assert response.status_code == HTTPStatus.OK

    def test_never_redirects_to_another_host(self, tenant: Tenant, address: str) -> None:
        where, _ = self.post_then_sign_in(
            tenant.user, address, referer=f"{HOST}//elsewhere.example/"
        )
        assert where == "/consignments/"


class TestAnotherClientIsChosen:
    """Staff who choose a client are redirected to a page that exists for it."""

    @pytest.fixture
    def other(self) -> Tenant:
        return create_tenant(word="Kalnamuiza", first_id=5_000_001)

    @pytest.fixture
    def platform(self, staff: User) -> HttpClient:
        return browser_of(staff)

    @pytest.mark.parametrize(
        ("page", "noun"),
        [
            ("/consignments/{consignment_id}/", "/consignments/"),
            ("/consignments/{consignment_id}/edit/", "/consignments/"),
            ("/consignments/{consignment_id}/notes/", "/consignments/"),
            ("/logs/{log_id}/edit/", "/consignments/"),
            ("/files/{file_id}/", "/files/"),
            ("/temperatures/{city_id}/", "/temperatures/"),
            ("/notes/{note_id}/", "/notes/"),
            ("/people/{user_id}/", "/people/"),
            ("/people/roles/{role_id}/", "/people/"),
        ],
    )
    def test_redirects_from_another_clients_row_to_the_list(
        self, tenant: Tenant, other: Tenant, platform: HttpClient, page: str, noun: str
    ) -> None:
        chosen = {"client_id": other.client.pk, "next": filled(page, tenant)}
        response = platform.post("/client/", chosen, follow=True)
        assert [where for where, _ in response.redirect_chain] == [noun]
        assert response.status_code == HTTPStatus.OK
        assert platform.get(filled(page, other)).status_code == HTTPStatus.OK

    @pytest.mark.parametrize("client_id", ["own", "all"])
    def test_stays_on_a_row_that_is_still_visible(
        self, tenant: Tenant, other: Tenant, platform: HttpClient, client_id: str
    ) -> None:
        page = filled("/files/{file_id}/", tenant)
        chosen = {"client_id": tenant.client.pk if client_id == "own" else "", "next": page}
        assert platform.post("/client/", chosen)["Location"] == page

    @pytest.mark.parametrize("page", ["/people/", "/notes/?q=key", "/nowhere/7/", "/admin/"])
    def test_stays_on_a_page_without_a_row(
        self, tenant: Tenant, platform: HttpClient, page: str
    ) -> None:
        chosen = {"client_id": tenant.client.pk, "next": page}
        assert platform.post("/client/", chosen)["Location"] == page
