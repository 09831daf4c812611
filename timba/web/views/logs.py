"""Logs: added in the table of a consignment or on the gate page, corrected and deleted."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Final

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from timba.consignments.logs import add_log, change_log, delete_log
from timba.consignments.models import Consignment, Log
from timba.files.models import File
from timba.web.forms import LogNumberQuery
from timba.web.log_forms import LogForm, compared_logs, comparison_for_script
from timba.web.pages import (
    Viewer,
    get_viewer,
    render_page,
    rerender_on_error,
    safe_next_url,
    signed_in,
)
from timba.web.views.consignment import consignment_page, get_consignment, render_consignment

GATE_LOGS: Final = 8


@signed_in
@rerender_on_error(consignment_page)
def add_log_in_table(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a log from the first row of the table; with JavaScript the page uses the API instead."""
    viewer = get_viewer(request)
    consignment = get_consignment(viewer, pk)
    form = LogForm(request.POST, form_id="entry")
    if _add_log(form, viewer, consignment):
        return redirect(reverse("web:consignment", args=[pk]) + "#entry")
    return render_consignment(request, viewer, pk, log_form=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def gate_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page for adding logs quickly on a phone at the gate; a POST adds one."""
    viewer = get_viewer(request)
    consignment = get_consignment(viewer, pk)
    if request.method != "POST":
        return _render_gate(request, viewer, consignment)
    form = LogForm(request.POST)
    if _add_log(form, viewer, consignment):
        return redirect("web:gate", pk=pk)
    return _render_gate(request, viewer, consignment, log_form=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a log's form, with the button that deletes it; a POST corrects the log."""
    viewer = get_viewer(request)
    log = _get_log(viewer, pk)
    if request.method != "POST":
        return _render_form(request, viewer, log, LogForm.from_log(log))
    form = LogForm.from_log(log, request.POST)
    others = compared_logs(viewer, log.consignment, but=log)
    if form.is_valid() and not form.asks_about(others, log=log):
        fields = {**form.cleaned_data, "barcode": form.cleaned_data["barcode"] or log.barcode}
        change = partial(change_log, actor=viewer.user, log=log, **fields)
        if form.attempt(change, conflict_field="barcode") is not None:
            return redirect(reverse("web:consignment", args=[log.consignment_id]) + "#logs")
    return _render_form(request, viewer, log, form, status=form.status)


@signed_in
@rerender_on_error(edit_log)
def remove_log(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = get_viewer(request)
    log = _get_log(viewer, pk)
    delete_log(actor=viewer.user, log=log)
    default = reverse("web:consignment", args=[log.consignment_id]) + "#logs"
    return HttpResponseRedirect(
        safe_next_url(request, request.POST.get("next", ""), default=default)
    )


def _get_log(viewer: Viewer, pk: int) -> Log:
    logs = viewer.rows(Log).select_related("client__subscription", "consignment")
    return logs.get_or_not_found(pk=pk)


def _add_log(form: LogForm, viewer: Viewer, consignment: Consignment) -> bool:
    """Add the log; return False if the form asks about it, or if it or the service rejects it."""
    if not form.is_valid() or form.asks_about(compared_logs(viewer, consignment)):
        return False
    fields = {**form.cleaned_data, "barcode": form.cleaned_data["barcode"] or None}
    add = partial(add_log, actor=viewer.user, consignment=consignment, **fields)
    return form.attempt(add, conflict_field="barcode") is not None


def _render_gate(
    request: HttpRequest,
    viewer: Viewer,
    consignment: Consignment,
    *,
    log_form: LogForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    logs = viewer.rows(Log).filter(consignment=consignment).order_by("-pk")[:GATE_LOGS]
    context = {
        "consignment": consignment,
        "logs": logs,
        "blank": Log(pk=0, length=0, breadth=0, height=0, volume=0),
        "litres": int(consignment.volume * 1000),
        "comparison": comparison_for_script(viewer, consignment),
        "log_form": log_form or LogForm.for_next_log(logs[0] if logs else None),
    }
    return render_page(request, "web/gate.html", context, viewer=viewer, status=status)


def _render_form(
    request: HttpRequest, viewer: Viewer, log: Log, form: LogForm, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    query = LogNumberQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    context = {
        "section": "consignments",
        "log": log,
        "consignment": log.consignment,
        "form": form,
        "number": query.cleaned_data["number"],
        "file_count": viewer.rows(File).filter(log=log).count(),
    }
    return render_page(request, "web/log_form.html", context, viewer=viewer, status=status)
