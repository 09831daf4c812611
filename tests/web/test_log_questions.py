"""What is asked before a log is saved, without JavaScript, and which logs it is compared with."""

from __future__ import annotations

import html
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus

import pytest
from django.test import Client as HttpClient

from tests.clients import browser_of
from tests.web.test_consignments import LOG, measured, opened
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., User]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def http_client(owner: User) -> HttpClient:
    return browser_of(owner)


@pytest.fixture
def load(owner: User) -> Consignment:
    return opened(owner)


def questions(http_client: HttpClient, path: str, **log: str) -> str:
    """Send a log that is not saved; return the page."""
    response = http_client.post(path, LOG | log)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    return html.unescape(response.content.decode())


@pytest.mark.parametrize("form", ["logs/", "gate/"])
def test_an_answer_is_for_the_measures_that_were_asked_about(
    owner: User, http_client: HttpClient, load: Consignment, form: str
) -> None:
    measured(owner, load)
    path = f"/consignments/{load.pk}/{form}"
    page = questions(http_client, path, length="30.5")
    assert "Length 30.50\xa0m? The other log has 4.20\xa0m." in page
    assert 'name="confirmed" value="length=30.5"' in page
    page = questions(http_client, path, length="30.6", confirmed="length=30.5")
    assert "Length 30.60\xa0m?" in page
    page = questions(http_client, path, length="30.5", height="2.5", confirmed="length=30.5")
    assert "Height 2.5\xa0cm? The other log has 25.0\xa0cm." in page
    assert Log.unscoped.count() == 1
    http_client.post(path, LOG | {"length": "30.5", "confirmed": "length=30.5"})
    assert Log.unscoped.latest("pk").length == Decimal("30.5")


def test_what_no_log_measures_is_rejected_and_not_asked_about(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    measured(owner, load)
    page = questions(http_client, f"/consignments/{load.pk}/logs/", length="420")
    assert "? The other" not in page
    assert "A log is 0.1 to 40 m long." in page


def test_a_log_is_compared_with_the_newest_of_its_own_load(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    other = opened(owner, "AB-0188")
    sizes = {"client": owner.client, "breadth": 30, "height": 25, "volume": 1}
    Log.unscoped.bulk_create(
        Log(**sizes, consignment=load, barcode=f"L{number}", length=4 if number < 51 else 1)
        for number in range(101)
    )
    response = http_client.post(f"/consignments/{other.pk}/logs/", LOG | {"length": "30"})
    assert response.status_code == HTTPStatus.FOUND
    page = questions(http_client, f"/consignments/{load.pk}/logs/", length="4")
    assert "Length 4.00\xa0m? The others are 1.00\xa0m." in page


def test_a_correction_is_not_compared_with_the_log_itself(
    owner: User, http_client: HttpClient, load: Consignment
) -> None:
    log = measured(owner, load)
    response = http_client.post(f"/logs/{log.pk}/edit/", LOG | {"length": "30.5"})
    assert response["Location"] == f"/consignments/{load.pk}/#logs"
