"""The company on the page of one's own account, without JavaScript."""

from __future__ import annotations

import html
from collections.abc import Callable
from http import HTTPStatus

import pytest

from tests.clients import browser_of
from tests.factories import ClientFactory, UserFactory
from tests.web.test_consignments import lapse
from timba.accounts.models import Client, User

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]
COMPANY = {
    "name": "Baltic Timber",
    "address": "Dock Road 4, Riga",
    "contact": "+371 20000000",
    "email": "office@baltic.example",
    "time_zone": "Europe/Riga",
}


def company_of(user: User) -> dict[str, str]:
    return Client.unscoped.values(*COMPANY).get(pk=user.client_id)


def test_owner_changes_the_company_and_its_time_zone(make_user: MakeUser) -> None:
    owner = make_user()
    http_client = browser_of(owner)
    page = http_client.get("/account/").content.decode()
    assert '<option value="Europe/Riga">' in page
    response = http_client.post("/account/company/", COMPANY)
    assert response["Location"] == "/account/#company"
    assert company_of(owner) == COMPANY
    assert 'value="Dock Road 4, Riga"' in http_client.get("/account/").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "", "A company needs a name."),
        ("email", "office", "Enter a valid email address."),
        ("time_zone", "", "Give a time zone, such as Europe/Riga or UTC."),
        (
            "time_zone",
            "Riga",
            "“Riga” is not a time zone: give a name such as “Europe/Riga” or “UTC”.",
        ),
    ],
)
def test_invalid_company_is_rejected_in_place_and_kept_in_the_form(
    make_user: MakeUser, field: str, value: str, sentence: str
) -> None:
    owner = make_user()
    before = company_of(owner)
    response = browser_of(owner).post("/account/company/", COMPANY | {field: value})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    page = html.unescape(response.content.decode())
    assert sentence in page
    assert 'value="Dock Road 4, Riga"' in page
    assert company_of(owner) == before


def test_viewer_sees_the_company_and_changes_nothing(make_user: MakeUser) -> None:
    viewer = make_user(role="viewer")
    Client.unscoped.filter(pk=viewer.client_id).update(**COMPANY)
    http_client = browser_of(viewer)
    page = http_client.get("/account/").content.decode()
    for text in COMPANY.values():
        assert f"<dd>{text}</dd>" in page
    assert "/account/company/" not in page
    response = http_client.post("/account/company/", COMPANY | {"name": "Mine"})
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert company_of(viewer) == COMPANY


def test_lapsed_client_sees_the_form_disabled(make_user: MakeUser) -> None:
    owner = make_user()
    before = company_of(owner)
    lapse(owner)
    http_client = browser_of(owner)
    page = http_client.get("/account/").content.decode()
    assert 'aria-disabled="true" disabled>Save the company' in page
    response = http_client.post("/account/company/", COMPANY)
    assert response.status_code == HTTPStatus.PAYMENT_REQUIRED
    assert company_of(owner) == before


def test_staff_change_the_company_that_they_have_chosen() -> None:
    staff, client, other = UserFactory(client=None, is_staff=True), ClientFactory(), ClientFactory()
    http_client = browser_of(staff)
    http_client.post("/client/", {"client_id": client.pk})
    http_client.post("/account/company/", COMPANY)
    other.refresh_from_db()
    assert Client.unscoped.values(*COMPANY).get(pk=client.pk) == COMPANY
    assert other.time_zone == "UTC"
    http_client.post("/client/", {"client_id": ""})
    assert "Time zone" not in http_client.get("/account/").content.decode()
    assert http_client.post("/account/company/", COMPANY)["Location"] == "/account/"
