"""The small charts of cities, which pages load when they come into view, and the series as CSV.

A chart reads from the object store. It is loaded apart from its page, so that the page neither
waits for the store nor fails with it.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from timba.accounts.models import Client
from timba.errors import NotFound
from timba.files.rejects import csv_lines
from timba.serialization import format_utc
from timba.temperatures.lines.timestamp_fields import DAY
from timba.temperatures.schemas import serialize_city_statistics
from timba.temperatures.statistics.bounds import EPOCH, TimeRange, to_datetime
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.statistics.series import Bucket, city_series
from timba.web.charts import Day, draw_sparkline, draw_strip
from timba.web.pages import get_viewer, signed_in
from timba.web.periods import Period, parse_period
from timba.web.views.consignment import get_consignment

SPARKLINE_DAYS: Final = 90
STRIP_DAYS: Final = 30
# The days of a strip that have a label beneath it, evenly spaced.
LABELLED_DAYS: Final = (0, 10, 19, 29)
CSV_HEADER: Final = ("at", "count", "min", "max", "mean")


class _LastDays(NamedTuple):
    """The days up to a city's last reading: all of them, their bounds, those with readings."""

    shown: range
    bounds: TimeRange
    days: list[Day]


@signed_in
@require_safe
def city_sparkline(request: HttpRequest, city_id: int) -> HttpResponse:
    """Return the sparkline of a city."""
    last = _last_days(_acting_client(request).pk, city_id, SPARKLINE_DAYS)
    lines = draw_sparkline(last.days, shown=last.shown)
    return render(request, "web/partials/sparkline.html", {"lines": lines})


@signed_in
@require_safe
def consignment_chart(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the chart of the city of a consignment."""
    consignment = get_consignment(get_viewer(request), pk)
    if consignment.city_id is None:
        raise NotFound
    city = {"client_id": consignment.client_id, "city_id": consignment.city_id}
    last = _last_days(**city, count=STRIP_DAYS)
    # The mean of all readings, not that of the daily means, of which each may be of another number.
    statistics = city_statistics(**city, bounds=last.bounds)
    if statistics is None or statistics.totals is None:
        raise NotFound
    dates = [_date_of(number) for number in last.shown]
    context = {
        "city": serialize_city_statistics(statistics),
        "chart": draw_strip(last.days, shown=last.shown),
        "first_day": dates[0],
        "last_day": dates[-1],
        "labels": [dates[number] for number in LABELLED_DAYS],
    }
    return render(request, "web/partials/city_strip.html", context)


@signed_in
@require_safe
def series_csv(request: HttpRequest, city_id: int) -> HttpResponse:
    """Return the series of a city as CSV; its numbers are those of the API."""
    client = _acting_client(request)
    try:
        bucket = Bucket(request.GET.get("bucket", ""))
        period = parse_period(request.GET) or Period()
    except ValueError as error:
        raise BadRequest from error
    series = city_series(client_id=client.pk, city_id=city_id, bucket=bucket, bounds=period.bounds)
    if series is None:
        raise NotFound
    rows = [
        (format_utc(to_datetime(at)), count, *(Decimal(value).scaleb(-2) for value in temperatures))
        for at, count, *temperatures in series.points.T.tolist()
    ]
    response = HttpResponse(csv_lines([CSV_HEADER, *rows]), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=f"city-{city_id}-by-{bucket}.csv"
    )
    return response


def _acting_client(request: HttpRequest) -> Client:
    client = get_viewer(request).client
    if client is None:
        raise NotFound
    return client


def _last_days(client_id: int, city_id: int, count: int) -> _LastDays:
    """Return the last days of a city in UTC; raise NotFound without any, and Unavailable."""
    statistics = city_statistics(client_id=client_id, city_id=city_id)
    if statistics is None or statistics.totals is None:
        raise NotFound
    stop = statistics.totals.last_at // DAY + 1
    bounds = TimeRange(start=(stop - count) * DAY, stop=stop * DAY)
    series = city_series(client_id=client_id, city_id=city_id, bucket=Bucket.DAY, bounds=bounds)
    if series is None or not series.points.size:
        raise NotFound
    days = [
        Day(number=at // DAY, lowest=lowest, highest=highest, mean=mean)
        for at, _, lowest, highest, mean in series.points.T.tolist()
    ]
    return _LastDays(shown=range(stop - count, stop), bounds=bounds, days=days)


def _date_of(number: int) -> date:
    return (EPOCH + timedelta(days=number)).date()
