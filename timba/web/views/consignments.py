"""The consignments: the list, and what is written down of each."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.core.exceptions import BadRequest
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from timba.consignments.models import Consignment, Log
from timba.consignments.services import change_consignment, delete_consignment, open_consignment
from timba.db.text import text_contains
from timba.files.models import File
from timba.notes.models import Note
from timba.places.models import City
from timba.web.forms import ConsignmentForm, ConsignmentsQuery
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in, viewer_of
from timba.web.pagination import newest_first

CONSIGNMENTS_ON_A_PAGE = 50
OFFERED_CITIES = 200


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def consignments(request: HttpRequest) -> HttpResponse:
    """List the consignments, newest first; a POST opens one."""
    reader = viewer_of(request)
    if request.method != "POST":
        adding = ConsignmentForm() if "new" in request.GET and reader.client else None
        return _list(request, reader, adding=adding)
    form = ConsignmentForm(request.POST)
    if reader.client is not None and form.is_valid():
        opened = form.attempt(
            partial(open_consignment, actor=reader.user, client=reader.client, **form.cleaned_data),
            clash="name",
        )
        if opened is not None:
            return redirect("web:consignment", pk=opened.pk)
    return _list(request, reader, adding=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_consignment(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a consignment's form, and ask before it is deleted; a POST changes it."""
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    if request.method != "POST":
        return _form(request, reader, asked, ConsignmentForm.of(asked))
    form = ConsignmentForm(request.POST)
    if form.is_valid():
        change = partial(
            change_consignment, actor=reader.user, consignment=asked, **form.cleaned_data
        )
        if form.attempt(change, clash="name") is not None:
            return redirect("web:consignment", pk=asked.pk)
    return _form(request, reader, asked, form, status=form.status)


@signed_in
@rerender_on_error(edit_consignment)
def remove_consignment(request: HttpRequest, pk: int) -> HttpResponse:
    reader = viewer_of(request)
    delete_consignment(actor=reader.user, consignment=_asked(reader, pk))
    return redirect("web:consignments")


def _asked(reader: Viewer, pk: int) -> Consignment:
    return reader.rows(Consignment).select_related("client__subscription").get_or_not_found(pk=pk)


def _form(
    request: HttpRequest,
    reader: Viewer,
    asked: Consignment,
    form: ConsignmentForm,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {
        "room": "consignments",
        "consignment": asked,
        "form": form,
        "cities": _offered_cities(reader, asked.client_id),
        "file_count": reader.rows(File).filter(consignment=asked).count(),
        "note_count": reader.rows(Note).filter(consignment=asked).count(),
    }
    return render_page(request, "web/consignment_form.html", context, reader=reader, status=status)


def _list(
    request: HttpRequest,
    reader: Viewer,
    *,
    adding: ConsignmentForm | None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    query = ConsignmentsQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    asked = query.cleaned_data
    rows = reader.rows(Consignment)
    totals = rows.aggregate(count=Count("pk"), logs=Sum("log_count"), volume=Sum("volume"))
    if words := asked["q"]:
        rows = rows.filter(text_contains(words, "name", "vehicle_number") | _of_log(reader, words))
    if asked["type"]:
        rows = rows.filter(type=asked["type"])
    stretch = newest_first(
        with_city_name(rows.select_related("client")),
        before=asked["before"],
        size=CONSIGNMENTS_ON_A_PAGE,
    )
    context = {
        "room": "consignments",
        "stretch": stretch,
        "totals": totals,
        "types": Consignment.Type.choices,
        "query": asked,
        "adding": adding,
    }
    if adding is not None and reader.client is not None:
        context["cities"] = _offered_cities(reader, reader.client.pk)
    return render_page(request, "web/consignments.html", context, reader=reader, status=status)


def _of_log(reader: Viewer, barcode: str) -> Q:
    """Return the condition that a consignment holds the log of exactly this barcode."""
    logs = reader.rows(Log).filter(barcode=barcode)
    return Q(pk__in=logs.values("consignment_id"))


def with_city_name(rows: QuerySet[Consignment]) -> QuerySet[Consignment]:
    """Return the consignments, each with the name that its client gave its city."""
    name = City.unscoped.name_subquery(client_id="client_id", number="city_id")
    return rows.annotate(city_name=name)


def _offered_cities(reader: Viewer, client_id: int) -> list[City]:
    cities = reader.rows(City).filter(client_id=client_id)
    return list(cities.order_by("number")[:OFFERED_CITIES])
