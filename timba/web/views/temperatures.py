"""The temperatures: a client's cities with their statistics, and those of one city in a period."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from timba.accounts.models import Client
from timba.errors import Invalid, NotFound, Unavailable
from timba.places.services import name_city
from timba.temperatures.models import CityTotals
from timba.temperatures.schemas import CityStatisticsSchema, serialize_city_statistics
from timba.temperatures.statistics.cities import CityStatistics, city_statistics
from timba.temperatures.statistics.city_list import get_overview, list_cities
from timba.temperatures.statistics.counted_files import list_files
from timba.web.forms import CityNameForm
from timba.web.pages import (
    Viewer,
    get_viewer,
    render_page,
    requested_limit,
    rerender_on_error,
    signed_in,
)
from timba.web.periods import ALL, PERIODS, Period, parse_period, remember_period, remembered_period

CITIES_PER_PAGE: Final = 100
MAX_FILES: Final = 20


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
            # The period is that of the form's page: another page may have been opened since.
            city = reverse("web:city", args=[city_id])
            return redirect(f"{city}?{request.GET.urlencode()}")
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
        context |= _statistics_context(request, viewer, viewer.client, city_id)
        context["rename_form"] = rename_form or _name_form(context["city"])
        context["is_renaming"] = rename_form is not None
    elif city_id is not None:
        raise NotFound
    return render_page(request, "web/temperatures.html", context, viewer=viewer, status=status)


def _statistics_context(
    request: HttpRequest, viewer: Viewer, client: Client, city_id: int | None
) -> dict[str, Any]:
    """Return a page of cities, and the statistics of one: over all time and in the period."""
    limit = requested_limit(request, CITIES_PER_PAGE)
    try:
        page = list_cities(client.pk, limit=limit, cursor=request.GET.get("cursor"))
    except Invalid as error:
        raise BadRequest from error
    cities = {city.city_id: city for city in page.rows}
    selected_id = city_id if city_id is not None else next(iter(cities), None)
    asked = _asked_period(request)
    period = asked or remembered_period(request.session)
    context: dict[str, Any] = {
        "page": page,
        "cities": [serialize_city_statistics(city) for city in cities.values()],
        "overview": get_overview(client.pk),
        "periods": [*((key, label) for key, (label, _) in PERIODS.items()), (ALL, "All")],
        "period": period,
        "city_query": _city_query(request, period),
        "city": None,
    }
    if selected_id is not None:
        all_time = cities.get(selected_id) or city_statistics(
            client_id=client.pk, city_id=selected_id
        )
        if all_time is None:
            raise NotFound
        context |= {
            "city": serialize_city_statistics(all_time),
            **_period_context(client, all_time, period),
            **_files_context(viewer, selected_id, period),
        }
    if asked is not None:
        remember_period(request.session, asked)
    return context


def _period_context(client: Client, all_time: CityStatistics, period: Period) -> dict[str, Any]:
    """Return the statistics of a city in a period, or the sentence that tells why there are none.

    They may need the store of readings. Without it, all the others and the periods are still here.
    """
    in_period: CityStatistics | None = all_time
    if not period.bounds.is_unbounded:
        try:
            in_period = city_statistics(
                client_id=client.pk, city_id=all_time.city_id, bounds=period.bounds
            )
        except Unavailable as error:
            return {"in_period": None, "problem": str(error)}
    if in_period is None:
        raise NotFound
    return {"in_period": serialize_city_statistics(in_period)}


def _files_context(viewer: Viewer, city_id: int, period: Period) -> dict[str, Any]:
    """Return the files that reach into the period with readings of the city."""
    rows = viewer.rows(CityTotals).filter(city_id=city_id)
    files, count = list_files(rows, period.bounds, limit=MAX_FILES)
    return {"city_files": files, "city_file_count": count, "more_files": count - len(files)}


def _city_query(request: HttpRequest, period: Period) -> str:
    """Return the query of the links to other cities: they keep the period and the page."""
    cursor = request.GET.get("cursor")
    return urlencode({**({"cursor": cursor} if cursor else {}), **period.query})


def _asked_period(request: HttpRequest) -> Period | None:
    try:
        return parse_period(request.GET)
    except ValueError as error:
        raise BadRequest from error


def _name_form(city: CityStatisticsSchema | None) -> CityNameForm | None:
    return CityNameForm(initial={"name": city["name"]}) if city else None
