"""Exports of consignments: access, file names, content and rejections."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import Subscription, User
from timba.accounts.token_cache import forget_users
from timba.api import downloads
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.places.models import City
from timba.tallies.exporting import exports, font_files
from timba.tallies.exporting.font_files import FontFile

# HTTP alone: the contract suite proves these endpoints on every database.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEASURES = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}
ENDINGS = {"xlsx": WORKBOOK, "csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def api_client(owner: User) -> APIClient:
    return api_client_of(owner)


@pytest.fixture
def consignment(owner: User) -> Consignment:
    """Return a consignment of two logs."""
    assert owner.client is not None
    City.unscoped.create(client=owner.client, number=7, name="Rīga")
    made = open_consignment(
        actor=owner, client=owner.client, name="Lorry 7", type="hardwood", city_id=7
    )
    for barcode in ("=A1", "B"):
        add_log(actor=owner, consignment=made, barcode=barcode, **MEASURES)
    return made


def path_of(consignment: Consignment, ending: str) -> str:
    return f"/api/consignments/{consignment.pk}/tally.{ending}"


def content_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.mark.parametrize("ending", ENDINGS)
def test_export_has_the_consignments_name(
    ending: str, api_client: APIClient, consignment: Consignment
) -> None:
    response = api_client.get(path_of(consignment, ending))
    assert response.status_code == 200
    assert response["Content-Type"] == ENDINGS[ending]
    assert response["Content-Disposition"] == f'attachment; filename="Lorry 7.{ending}"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Length"] == str(len(content_of(response)))


def test_export_holds_the_logs(api_client: APIClient, consignment: Consignment) -> None:
    response = content_of(api_client.get(path_of(consignment, "csv")))
    assert response.decode().splitlines() == [
        "\ufeffbarcode,length,breadth,height,volume",
        "'=A1,4.000,30.000,25.000,0.300",
        "B,4.000,30.000,25.000,0.300",
    ]
    response = content_of(api_client.get(path_of(consignment, "csv") + "?decimal=comma"))
    assert response.decode().splitlines()[1:] == [
        "'=A1;4,000;30,000;25,000;0,300",
        "B;4,000;30,000;25,000;0,300",
    ]
    [page] = pypdfium2.PdfDocument(content_of(api_client.get(path_of(consignment, "pdf"))))
    text = page.get_textpage().get_text_bounded()
    assert "Rīga (7)" in text
    assert "2 logs, 0.600 m³" in text


@pytest.mark.parametrize("value", [",", "point", "COMMA"])
def test_the_only_other_decimal_separator_is_the_comma(
    value: str, api_client: APIClient, consignment: Consignment
) -> None:
    response = api_client.get(path_of(consignment, "csv"), {"decimal": value})
    assert response.status_code == 400
    sentence = f"“{value}” is not “comma”: leave it out for points."
    assert response.json()["errors"] == {"decimal": [sentence]}


@pytest.mark.parametrize("ending", ENDINGS)
def test_foreign_and_absent_consignments_are_the_same(
    ending: str, consignment: Consignment, make_user: MakeUser
) -> None:
    stranger = api_client_of(make_user(client=ClientFactory()))
    foreign = stranger.get(path_of(consignment, ending))
    absent = stranger.get(f"/api/consignments/999999999/tally.{ending}")
    assert (foreign.status_code, foreign.content) == (404, absent.content)
    assert stranger.get(f"/api/consignments/{'9' * 30}/tally.{ending}").status_code == 404
    assert APIClient().get(path_of(consignment, ending)).status_code == 401


def test_reading_needs_no_permission_and_no_subscription(
    consignment: Consignment, make_user: MakeUser, staff: User
) -> None:
    Subscription.objects.filter(client=consignment.client).update(
        current_period_end=timezone.now() - timedelta(days=1)
    )
    for reader in (make_user(role="viewer"), staff):
        assert content_of(api_client_of(reader).get(path_of(consignment, "csv")))


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("../..\\x", 'filename=".._.._x.{}"'),
        ('a"b\nc\x7f', 'filename="a_b_c_.{}"'),
        ("木材 🌲", "filename*=utf-8''%E6%9C%A8%E6%9D%90%20%F0%9F%8C%B2.{}"),
        ("=1+1", 'filename="=1+1.{}"'),
        ("%2F", 'filename="%2F.{}"'),
    ],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_export_with_any_consignment_name_works(
    name: str, saved_as: str, ending: str, api_client: APIClient, consignment: Consignment
) -> None:
    Consignment.unscoped.filter(pk=consignment.pk).update(name=name)
    response = api_client.get(path_of(consignment, ending))
    assert response["Content-Disposition"] == f"attachment; {saved_as.format(ending)}"
    assert content_of(response)


def test_too_many_logs_for_a_pdf_are_rejected(
    api_client: APIClient, consignment: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_PDF_LOGS", 1)
    response = api_client.get(path_of(consignment, "pdf"))
    assert (response.status_code, response.json()["detail"]) == (400, downloads.TOO_MANY_LOGS)
    assert content_of(api_client.get(path_of(consignment, "xlsx")))


def test_without_fonts_there_is_no_pdf(
    api_client: APIClient, consignment: Consignment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(font_files, "REGULAR", FontFile(tmp_path / "none.ttf"))
    response = api_client.get(path_of(consignment, "pdf"))
    assert (response.status_code, response.json()["detail"]) == (503, downloads.NO_FONTS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_too_many_large_exports_at_once_are_503(
    ending: str,
    api_client: APIClient,
    consignment: Consignment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "INLINE_MAX_LOGS", 1)
    monkeypatch.setattr(exports, "LARGE_MIN_LOGS", 2)
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0)
    with exports.large_export_slot(consignment.client_id):
        response = api_client.get(path_of(consignment, ending))
    assert (response.status_code, response.json()["detail"]) == (503, exports.BUSY)
    assert response["Retry-After"] == "5"
    assert content_of(api_client.get(path_of(consignment, ending)))


def test_export_takes_a_constant_number_of_queries(
    api_client: APIClient,
    owner: User,
    consignment: Consignment,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    content_of(api_client.get(path_of(consignment, "csv")))
    for _ in range(30):
        add_log(actor=owner, consignment=consignment, **MEASURES)
    forget_users()
    with django_assert_num_queries(4):
        content_of(api_client.get(path_of(consignment, "csv")))
