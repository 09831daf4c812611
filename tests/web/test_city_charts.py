"""The sparkline of a city, the chart of a consignment's city, and the series as CSV."""

from __future__ import annotations

import csv
import io
from http import HTTPStatus

import pytest
from django.test import Client as HttpClient

from tests.clients import browser_of
from tests.conftest import MakeUser
from tests.factories import ClientFactory
from tests.temperatures.uploads import settle_readings
from tests.web.test_consignments import opened
from timba.accounts.models import User
from timba.files.models import File
from timba.files.storage import store
from timba.places.services import name_city
from timba.temperatures.statistics import series

pytestmark = pytest.mark.django_db
READINGS = (
    "7,40.00,2026-08-01T06:00Z\n"
    "7,-3.24,2026-11-18T06:00Z\n7,1.00,2026-11-19T06:00Z\n7,2.01,2026-11-19T07:00Z\n"
    "7,4.5,2026-11-20T23:59Z\n"
)
SPARKLINE, CSV = "/temperatures/7/sparkline/", "/temperatures/7/series.csv"


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def file(owner: User) -> File:
    return settle_readings(READINGS, actor=owner)


@pytest.fixture
def http_client(owner: User, file: File) -> HttpClient:
    return browser_of(owner)


def erase_readings(file: File) -> None:
    for derivative in file.derivatives.all():
        store().delete(derivative.storage_key)


def test_a_sparkline_is_of_the_last_90_days_and_counts_a_new_file_at_once(
    http_client: HttpClient, owner: User
) -> None:
    assert http_client.get(SPARKLINE).content.decode() == (
        '<svg class="spark plot" viewBox="0 0 104 26" preserveAspectRatio="none" '
        'aria-hidden="true"><polyline class="mean" points="100.7,25.0 101.9,10.3 103.0,1.0"/>'
        "</svg>\n"
    )
    settle_readings("7,4.50,2026-11-21T06:00Z\n", actor=owner)
    assert 'points="99.6,25.0 100.7,10.3 101.9,1.0 103.0,1.0"' in (
        http_client.get(SPARKLINE).content.decode()
    )


def test_the_chart_of_a_consignment_is_of_the_30_days_up_to_the_last_reading(
    http_client: HttpClient, owner: User
) -> None:
    name_city(actor=owner, client=owner.client, city_id=7, name="Kuldīga")
    page = http_client.get(f"/consignments/{opened(owner).pk}/chart/").content.decode()
    assert "<h3>22 Oct 2026 to 20 Nov 2026 " in page
    assert (
        'aria-label="Temperature of Kuldīga by day, 22 Oct 2026 to 20 Nov 2026: '
        '−3.24 to 4.50 °C, mean 1.07 °C"' in page
    )
    # The mean of four readings: that of the three daily means is 0.92.
    assert "daily mean; of all 1.07 °C</span>" in page
    assert "<span>22 Oct</span><span>1 Nov</span><span>10 Nov</span><span>20 Nov</span>" in page
    assert '<line class="zero" x1="0" x2="360" y1="40.0" y2="40.0"/>' in page


def test_a_consignment_without_readings_of_its_city_has_no_chart(
    http_client: HttpClient, owner: User
) -> None:
    for number, city_id in enumerate((None, 8)):
        load = opened(owner, f"AB-{number}", city_id=city_id)
        assert http_client.get(f"/consignments/{load.pk}/chart/").status_code == 404
        assert "city-strip" not in http_client.get(f"/consignments/{load.pk}/").content.decode()


def test_without_the_readings_charts_are_unavailable_and_their_pages_complete(
    http_client: HttpClient, owner: User, file: File
) -> None:
    load = opened(owner)
    erase_readings(file)
    for path in (SPARKLINE, f"/consignments/{load.pk}/chart/"):
        response = http_client.get(path)
        assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "Some readings cannot be read just now." in response.content.decode()
    for path in (f"/consignments/{load.pk}/", f"/consignments/{load.pk}/paper/", "/temperatures/"):
        page = http_client.get(path)
        assert page.status_code == HTTPStatus.OK
        assert "−3.24 to 40.00" in page.content.decode()


def test_without_the_readings_the_statistics_of_a_period_are_missing_alone(
    http_client: HttpClient, file: File
) -> None:
    erase_readings(file)
    response = http_client.get("/temperatures/7/?from=2026-11-19T06:30Z")
    assert response.status_code == HTTPStatus.OK
    page = response.content.decode()
    assert "Some readings cannot be read just now." in page
    assert "−3.24 to 40.00" in page
    assert "?last=all#city" in page
    assert "No readings in this period" not in page
    assert 'class="totals"' not in page


def test_a_consignment_leads_to_all_temperatures_whatever_the_period(
    http_client: HttpClient, owner: User
) -> None:
    load = opened(owner)
    http_client.get("/temperatures/7/?last=24h")
    page = http_client.get(f"/consignments/{load.pk}/").content.decode()
    assert 'href="/temperatures/7/?last=all">All temperatures' in page


@pytest.mark.parametrize("bucket", ["hour", "day"])
@pytest.mark.parametrize(
    "bounds", ["", "&from=2026-11-18T06:00:00.5Z&to=2026-11-20T23:59:00%2B00:00"]
)
def test_csv_equals_the_series_of_the_api_to_the_digit(
    http_client: HttpClient, bucket: str, bounds: str
) -> None:
    response = http_client.get(f"{CSV}?bucket={bucket}{bounds}")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (f'attachment; filename="city-7-by-{bucket}.csv"')
    text = response.content.decode()
    assert text.startswith("at,count,min,max,mean\r\n2026-")
    answer = http_client.get(f"/temperature-readings/7/series/?bucket={bucket}{bounds}").json()
    assert list(csv.DictReader(io.StringIO(text))) == [
        {
            "at": point["at"],
            "count": str(point["count"]),
            **{name: f"{point[name]:.2f}" for name in ("min", "max", "mean")},
        }
        for point in answer["points"]
    ]


@pytest.mark.parametrize("query", ["", "bucket=week", "bucket=day&last=2y", "bucket=day&to=noon"])
def test_csv_of_wrong_parameters_is_a_400(http_client: HttpClient, query: str) -> None:
    assert http_client.get(f"{CSV}?{query}").status_code == HTTPStatus.BAD_REQUEST


def test_csv_of_too_many_points_says_what_to_ask_for(
    http_client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_POINTS", 3)
    response = http_client.get(f"{CSV}?bucket=hour")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert series.TOO_MANY_POINTS in response.content.decode()


def test_csv_takes_its_period_from_its_address_alone(http_client: HttpClient) -> None:
    assert http_client.get("/temperatures/7/?from=2026-11-20").status_code == HTTPStatus.OK
    assert http_client.get(f"{CSV}?bucket=day").content.count(b"\n") == 1 + 4
    http_client.get(f"{CSV}?bucket=day&last=all")
    assert "<dt>Readings</dt><dd>1</dd>" in http_client.get("/temperatures/7/").content.decode()


def test_charts_of_foreign_cities_and_consignments_are_not_found(
    http_client: HttpClient, owner: User, make_user: MakeUser, staff: User
) -> None:
    chart = f"/consignments/{opened(owner).pk}/chart/"
    stranger = browser_of(make_user(client=ClientFactory()))
    for path in (SPARKLINE, f"{CSV}?bucket=day", chart):
        assert http_client.get(path).status_code == HTTPStatus.OK
        assert stranger.get(path).status_code == HTTPStatus.NOT_FOUND
    # Staff who have chosen no client see all consignments, but city numbers are each client's own.
    for path, status in ((SPARKLINE, 404), (f"{CSV}?bucket=day", 404), (chart, 200)):
        assert browser_of(staff).get(path).status_code == status
