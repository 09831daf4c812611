"""The temperatures: a client's cities with their figures, and one of them within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from timba.accounts.models import Client
from timba.errors import Invalid, NotFound
from timba.temperatures.bounds import (
    MAX_TIME,
    MIN_TIME,
    TimeRange,
    parse_timestamp,
    to_datetime,
    to_microseconds,
)
from timba.temperatures.schemas import CitySchema, serialize_city
from timba.temperatures.services import name_city_and_invalidate_cache
from timba.temperatures.statistics import (
    city_statistics,
    describe_cities,
    get_overview,
    list_cities,
)
from timba.web.forms import CityNameForm
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in, viewer_of

CITIES_ON_A_PAGE = 100
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
    "1y": ("1 y", timedelta(days=365)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The stretch of time a reader asks about."""

    bounds: TimeRange
    period: str = ""

    @property
    def start(self) -> datetime | None:
        return to_datetime(self.bounds.start) if self.bounds.start > MIN_TIME else None

    @property
    def stop(self) -> datetime | None:
        return to_datetime(self.bounds.stop) if self.bounds.stop < MAX_TIME else None


@signed_in
@require_safe
def temperatures(request: HttpRequest, city_id: int | None = None) -> HttpResponse:
    """Show all cities, and the figures of one."""
    return _show(request, viewer_of(request), city_id)


@signed_in
@rerender_on_error(temperatures)
def rename(request: HttpRequest, city_id: int) -> HttpResponse:
    """Give a city its name."""
    reader = viewer_of(request)
    if (
        reader.client is None
        or city_statistics(client_id=reader.client.pk, city_id=city_id) is None
    ):
        raise NotFound
    form = CityNameForm(request.POST)
    if form.is_valid() and _name(form, reader, reader.client, city_id):
        return redirect("web:city", city_id=city_id)
    return _show(request, reader, city_id, renaming=form, status=HTTPStatus.BAD_REQUEST)


def _name(form: CityNameForm, reader: Viewer, client: Client, city_id: int) -> bool:
    try:
        name_city_and_invalidate_cache(
            actor=reader.user, client=client, city_id=city_id, name=form.cleaned_data["name"]
        )
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    return True


def _show(
    request: HttpRequest,
    reader: Viewer,
    city_id: int | None,
    *,
    renaming: CityNameForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context: dict[str, Any] = {"room": "temperatures"}
    if reader.client is not None:
        context |= _figures(request, reader.client, city_id)
        context["renaming"] = renaming or _name_form(context["city"])
        context["asking_name"] = renaming is not None
    elif city_id is not None:
        raise NotFound
    return render_page(request, "web/temperatures.html", context, reader=reader, status=status)


def _figures(request: HttpRequest, client: Client, city_id: int | None) -> dict[str, Any]:
    """Return the page of cities, the chosen one over all time, and within what was asked."""
    overview = get_overview(client.pk)
    paginator = Paginator(list_cities(client.pk), CITIES_ON_A_PAGE)
    # It would sum up all cities again to count them.
    paginator.count = overview.cities
    page = paginator.get_page(request.GET.get("page"))
    found = {
        city.city_id: city
        for city in describe_cities(client_id=client.pk, rows=list(page.object_list))
    }
    chosen = city_id if city_id is not None else next(iter(found), None)
    asked = _asked(request)
    context: dict[str, Any] = {
        "page": page,
        "cities": [serialize_city(city) for city in found.values()],
        "readings": overview.readings,
        "periods": [(key, words) for key, (words, _) in PERIODS.items()],
        "asked": asked,
        "city": None,
    }
    if chosen is not None:
        whole = found.get(chosen) or city_statistics(client_id=client.pk, city_id=chosen)
        within = whole
        if not asked.bounds.is_unbounded:
            within = city_statistics(client_id=client.pk, city_id=chosen, bounds=asked.bounds)
        if whole is None or within is None:
            raise NotFound
        context |= {"city": serialize_city(whole), "within": serialize_city(within)}
    return context


def _asked(request: HttpRequest) -> Asked:
    """Return the bounds of the query; a period counts back from now, by whole minutes."""
    period = request.GET.get("last", "")
    if period in PERIODS:
        now = timezone.now().replace(second=0, microsecond=0)
        return Asked(
            bounds=TimeRange(start=to_microseconds(now - PERIODS[period][1])), period=period
        )
    try:
        start = (
            parse_timestamp(request.GET.get("from") or "") if request.GET.get("from") else MIN_TIME
        )
        stop = parse_timestamp(request.GET.get("to") or "") if request.GET.get("to") else MAX_TIME
    except ValueError as error:
        raise BadRequest from error
    return Asked(bounds=TimeRange(start=start, stop=stop))


def _name_form(city: CitySchema | None) -> CityNameForm | None:
    return CityNameForm(initial={"name": city["name"]}) if city else None
