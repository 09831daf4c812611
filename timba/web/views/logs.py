"""The logs: added at a desk by keyboard or at the gate with one hand, corrected and deleted."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from timba.consignments.models import Consignment, Log
from timba.consignments.services import add_log, change_log, delete_log
from timba.files.models import File
from timba.web.forms import LogForm, LogsQuery
from timba.web.pages import Viewer, next_page, render_page, rerender_on_error, signed_in, viewer_of
from timba.web.views.consignment import consignment, consignment_asked, show_consignment

LOGS_AT_THE_GATE: Final = 8


@signed_in
@rerender_on_error(consignment)
def add_at_desk(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a log from the table's first row; the page's script does the same through the API."""
    reader = viewer_of(request)
    asked = consignment_asked(reader, pk)
    form = LogForm(request.POST, form_id="entry")
    if _add(form, reader, asked):
        return redirect(reverse("web:consignment", args=[pk]) + "#entry")
    return show_consignment(request, reader, pk, adding=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def add_at_gate(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page that adds logs on a phone; a POST adds one."""
    reader = viewer_of(request)
    asked = consignment_asked(reader, pk)
    if request.method != "POST":
        return _gate(request, reader, asked)
    form = LogForm(request.POST)
    if _add(form, reader, asked):
        return redirect("web:gate", pk=pk)
    return _gate(request, reader, asked, adding=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a log's form, and ask before it is deleted; a POST corrects it."""
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    if request.method != "POST":
        return _form(request, reader, asked, LogForm.of(asked))
    form = LogForm.of(asked, said=request.POST)
    if form.is_valid():
        said = form.cleaned_data
        said["barcode"] = said["barcode"] or asked.barcode
        change = partial(change_log, actor=reader.user, log=asked, **said)
        if form.attempt(change, clash="barcode") is not None:
            return redirect(reverse("web:consignment", args=[asked.consignment_id]) + "#logs")
    return _form(request, reader, asked, form, status=form.status)


@signed_in
@rerender_on_error(edit_log)
def remove_log(request: HttpRequest, pk: int) -> HttpResponse:
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    delete_log(actor=reader.user, log=asked)
    otherwise = reverse("web:consignment", args=[asked.consignment_id]) + "#logs"
    return redirect(next_page(request, request.POST.get("next", ""), otherwise=otherwise))


def _asked(reader: Viewer, pk: int) -> Log:
    logs = reader.rows(Log).select_related("client__subscription", "consignment")
    return logs.get_or_not_found(pk=pk)


def _add(form: LogForm, reader: Viewer, asked: Consignment) -> bool:
    if not form.is_valid():
        return False
    said = form.cleaned_data
    said["barcode"] = said["barcode"] or None
    add = partial(add_log, actor=reader.user, consignment=asked, **said)
    return form.attempt(add, clash="barcode") is not None


def _gate(
    request: HttpRequest,
    reader: Viewer,
    asked: Consignment,
    *,
    adding: LogForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    logs = reader.rows(Log).filter(consignment=asked).order_by("-pk")[:LOGS_AT_THE_GATE]
    context = {
        "consignment": asked,
        "logs": logs,
        "blank": Log(pk=0, length=0, breadth=0, height=0, volume=0),
        "litres": int(asked.volume * 1000),
        "adding": adding or LogForm.like(logs[0] if logs else None),
    }
    return render_page(request, "web/gate.html", context, reader=reader, status=status)


def _form(
    request: HttpRequest, reader: Viewer, asked: Log, form: LogForm, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    query = LogsQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    context = {
        "room": "consignments",
        "log": asked,
        "consignment": asked.consignment,
        "form": form,
        "number": query.cleaned_data["number"],
        "file_count": reader.rows(File).filter(log=asked).count(),
    }
    return render_page(request, "web/log_form.html", context, reader=reader, status=status)
