"""The temperatures: a client's cities with their statistics, and those of one city in a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from timba.accounts.models import Client
from timba.errors import Invalid, NotFound
from timba.places.services import name_city
from timba.temperatures.schemas import CityStatisticsSchema, serialize_city_statistics
from timba.temperatures.statistics.bounds import (
    MAX_TIME,
    MIN_TIME,
    TimeRange,
    parse_timestamp,
    to_datetime,
    to_microseconds,
)
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.statistics.city_list import get_overview, list_cities
from timba.web.forms import CityNameForm
from timba.web.pages import (
    Viewer,
    get_viewer,
    render_page,
    requested_limit,
    rerender_on_error,
    signed_in,
)

CITIES_PER_PAGE = 100
# key in the query: (label, length)
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
    "1y": ("1 y", timedelta(days=365)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The period that the page shows; `key` names one of PERIODS, or is empty."""

    bounds: TimeRange
    key: str = ""

    @property
    def start(self) -> datetime | None:
        return to_datetime(self.bounds.start) if self.bounds.start > MIN_TIME else None

    @property
    def stop(self) -> datetime | None:
        return to_datetime(self.bounds.stop) if self.bounds.stop < MAX_TIME else None


@signed_in
@require_safe
def temperatures_page(request: HttpRequest, city_id: int | None = None) -> HttpResponse:
    """List the cities, with the statistics of one of them."""
    return _render(request, get_viewer(request), city_id)


@signed_in
@rerender_on_error(temperatures_page)
def rename_city(request: HttpRequest, city_id: int) -> HttpResponse:
    """Give a city its name."""
    viewer = get_viewer(request)
    client = viewer.client
    if client is None or city_statistics(client_id=client.pk, city_id=city_id) is None:
        raise NotFound
    form = CityNameForm(request.POST)
    if form.is_valid():
        rename = partial(
            name_city,
            actor=viewer.user,
            client=client,
            city_id=city_id,
            name=form.cleaned_data["name"],
        )
        if form.attempt(rename) is not None:
            return redirect("web:city", city_id=city_id)
    return _render(request, viewer, city_id, rename_form=form, status=form.status)


def _render(
    request: HttpRequest,
    viewer: Viewer,
    city_id: int | None,
    *,
    rename_form: CityNameForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context: dict[str, Any] = {"section": "temperatures"}
    if viewer.client is not None:
        context |= _statistics_context(request, viewer.client, city_id)
        context["rename_form"] = rename_form or _name_form(context["city"])
        context["is_renaming"] = rename_form is not None
    elif city_id is not None:
        raise NotFound
    return render_page(request, "web/temperatures.html", context, viewer=viewer, status=status)


def _statistics_context(
    request: HttpRequest, client: Client, city_id: int | None
) -> dict[str, Any]:
    """Return a page of cities, and the statistics of one: over all time and in the period."""
    limit = requested_limit(request, CITIES_PER_PAGE)
    try:
        page = list_cities(client.pk, limit=limit, cursor=request.GET.get("cursor"))
    except Invalid as error:
        raise BadRequest from error
    cities = {city.city_id: city for city in page.rows}
    selected_id = city_id if city_id is not None else next(iter(cities), None)
    period = _parse_period(request)
    context: dict[str, Any] = {
        "page": page,
        "cities": [serialize_city_statistics(city) for city in cities.values()],
        "overview": get_overview(client.pk),
        "periods": [(key, label) for key, (label, _) in PERIODS.items()],
        "period": period,
        "city": None,
    }
    if selected_id is not None:
        all_time = cities.get(selected_id) or city_statistics(
            client_id=client.pk, city_id=selected_id
        )
        in_period = all_time
        if not period.bounds.is_unbounded:
            in_period = city_statistics(
                client_id=client.pk, city_id=selected_id, bounds=period.bounds
            )
        if all_time is None or in_period is None:
            raise NotFound
        context |= {
            "city": serialize_city_statistics(all_time),
            "in_period": serialize_city_statistics(in_period),
        }
    return context


def _parse_period(request: HttpRequest) -> Period:
    """Return the period of the query; `last` counts back from now, in whole minutes.

    `from` is included, `to` is not.
    """
    key = request.GET.get("last", "")
    if key in PERIODS:
        now = timezone.now().replace(second=0, microsecond=0)
        return Period(bounds=TimeRange(start=to_microseconds(now - PERIODS[key][1])), key=key)
    try:
        start = (
            parse_timestamp(request.GET.get("from") or "") if request.GET.get("from") else MIN_TIME
        )
        stop = parse_timestamp(request.GET.get("to") or "") if request.GET.get("to") else MAX_TIME
    except ValueError as error:
        raise BadRequest from error
    return Period(bounds=TimeRange(start=start, stop=stop))


def _name_form(city: CityStatisticsSchema | None) -> CityNameForm | None:
    return CityNameForm(initial={"name": city["name"]}) if city else None
