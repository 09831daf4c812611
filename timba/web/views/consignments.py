"""The list of consignments, and the form that opens, edits and deletes one."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db.models import BigIntegerField, Count, F, Q, QuerySet, Sum
from django.db.models.functions import Cast, Round
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from timba.consignments.models import Consignment, Log
from timba.consignments.services import change_consignment, open_consignment
from timba.consignments.trash import delete_consignment
from timba.db.search_keys import compact_key
from timba.files.models import File
from timba.notes.models import Note
from timba.places.models import City
from timba.web.forms import ConsignmentForm, ConsignmentsQuery
from timba.web.notices import Undo, leave_notice, with_logs
from timba.web.pages import (
    Viewer,
    get_page,
    get_viewer,
    list_cities,
    render_page,
    rerender_on_error,
    signed_in,
)

CONSIGNMENTS_PER_PAGE = 50


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def consignments_page(request: HttpRequest) -> HttpResponse:
    """List the consignments, newest first; a POST opens one."""
    viewer = get_viewer(request)
    if request.method != "POST":
        new_form = ConsignmentForm() if "new" in request.GET and viewer.client else None
        return _render_list(request, viewer, new_form=new_form)
    form = ConsignmentForm(request.POST)
    if viewer.client is not None and form.is_valid():
        consignment = form.attempt(
            partial(open_consignment, actor=viewer.user, client=viewer.client, **form.cleaned_data),
            conflict_field="name",
        )
        if consignment is not None:
            return redirect("web:consignment", pk=consignment.pk)
    return _render_list(request, viewer, new_form=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_consignment(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a consignment's form, with the button that deletes it; a POST changes it."""
    viewer = get_viewer(request)
    consignment = _get_consignment(viewer, pk)
    if request.method != "POST":
        return _render_form(
            request, viewer, consignment, ConsignmentForm.from_consignment(consignment)
        )
    form = ConsignmentForm(request.POST)
    if form.is_valid():
        change = partial(
            change_consignment, actor=viewer.user, consignment=consignment, **form.cleaned_data
        )
        if form.attempt(change, conflict_field="name") is not None:
            return redirect("web:consignment", pk=consignment.pk)
    return _render_form(request, viewer, consignment, form, status=form.status)


@signed_in
@rerender_on_error(edit_consignment)
def remove_consignment(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = get_viewer(request)
    consignment = _get_consignment(viewer, pk)
    logs = with_logs(consignment.log_count)
    delete_consignment(actor=viewer.user, consignment=consignment)
    undo = Undo(url=reverse("web:restore-consignment", args=[pk]), file_ids=[])
    leave_notice(request, f"{consignment.name} deleted{logs}.", undo=undo)
    return redirect("web:consignments")


def _get_consignment(viewer: Viewer, pk: int) -> Consignment:
    return viewer.rows(Consignment).select_related("client__subscription").get_or_not_found(pk=pk)


def _render_form(
    request: HttpRequest,
    viewer: Viewer,
    consignment: Consignment,
    form: ConsignmentForm,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {
        "section": "consignments",
        "consignment": consignment,
        "form": form,
        "cities": list_cities(viewer, consignment.client_id),
        "file_count": viewer.rows(File).filter(consignment=consignment).count(),
        "note_count": viewer.rows(Note).filter(consignment=consignment).count(),
        "trash_days": settings.TIMBA_TRASH_DAYS,
    }
    return render_page(request, "web/consignment_form.html", context, viewer=viewer, status=status)


def _render_list(
    request: HttpRequest,
    viewer: Viewer,
    *,
    new_form: ConsignmentForm | None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    query_form = ConsignmentsQuery(request.GET)
    if not query_form.is_valid():
        raise BadRequest
    query = query_form.cleaned_data
    rows = viewer.rows(Consignment)
    if text := query["q"]:
        found = Q(name_key__finds=text) | Q(vehicle_key__finds=text)
        rows = rows.filter(found | _has_log(viewer, text))
    if query["type"]:
        rows = rows.filter(type=query["type"])
    consignments = annotate_city_name(rows.select_related("client"))
    totals = _count_shown(rows)
    is_filtered = any(query.values())
    context = {
        "section": "consignments",
        "page": get_page(request, consignments, limit=CONSIGNMENTS_PER_PAGE),
        "totals": totals,
        "total": viewer.rows(Consignment).count() if is_filtered else totals["count"],
        "types": Consignment.Type.choices,
        "query": query,
        "new_form": new_form,
    }
    if new_form is not None and viewer.client is not None:
        context["cities"] = list_cities(viewer, viewer.client.pk)
    return render_page(request, "web/consignments.html", context, viewer=viewer, status=status)


def _count_shown(rows: QuerySet[Consignment]) -> dict[str, Any]:
    """Return the number of these consignments, of their logs, and their exact volume."""
    # SQLite adds decimals as binary fractions, but integers exactly.
    thousandths = Cast(Round(F("volume") * 1000), BigIntegerField())
    totals = rows.aggregate(
        count=Count("pk"), logs=Sum("log_count", default=0), thousandths=Sum(thousandths, default=0)
    )
    return {**totals, "volume": Decimal(totals["thousandths"]).scaleb(-3)}


def _has_log(viewer: Viewer, barcode: str) -> Q:
    """Return the condition that a consignment has a log with this whole barcode."""
    logs = viewer.rows(Log).filter(barcode_search_key=compact_key(barcode))
    return Q(pk__in=logs.values("consignment_id"))


def annotate_city_name(rows: QuerySet[Consignment]) -> QuerySet[Consignment]:
    """Add `city_name` to the rows, the name that the client gave the city or None."""
    name = City.unscoped.name_subquery(client_id="client_id", number="city_id")
    return rows.annotate(city_name=name)
