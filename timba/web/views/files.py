"""The files: what is stored, how it stands, what was found in it, and the pages that take more."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from timba.consignments.models import Consignment
from timba.db.text import text_contains
from timba.files.models import File
from timba.files.services import (
    delete_file,
    place_file,
    retry_failed_files,
    retry_file,
)
from timba.web.choices import RECENT_CONSIGNMENTS
from timba.web.forms import FILE_STATES, FilesQuery, PlaceForm
from timba.web.pages import (
    Viewer,
    next_page,
    of_consignment,
    render_page,
    rerender_on_error,
    signed_in,
    viewer_of,
)
from timba.web.upload_targets import files_target, readings_target, upload_blocked_reason

FILES_ON_A_PAGE = 50
ROWS_AT_ONCE = 100


@signed_in
@require_safe
def files(request: HttpRequest) -> HttpResponse:
    """List the files, newest first."""
    reader = viewer_of(request)
    form = FilesQuery(request.GET)
    if not form.is_valid():
        raise BadRequest
    query = form.cleaned_data
    rows = reader.rows(File)
    if query["q"]:
        rows = rows.filter(text_contains(query["q"], "name"))
    if query["kind"]:
        rows = rows.filter(kind=query["kind"])
    if query["consignment_id"]:
        rows = rows.filter(consignment_id=query["consignment_id"])
    shown = rows.filter(status=query["status"]) if query["status"] else rows
    pages = Paginator(shown.order_by("-uploaded_at", "-id"), FILES_ON_A_PAGE)
    page = pages.get_page(request.GET.get("page"))
    # The page follows a file until it is settled: files are counted after their states are read.
    page.object_list = list(page.object_list)
    counts = dict(rows.order_by().values_list("status").annotate(count=Count("pk")))
    context = {
        "room": "files",
        "page": page,
        "total": reader.rows(File).count(),
        "kinds": File.Kind.choices,
        "query": query,
        "of": of_consignment(reader, query["consignment_id"]),
        "chips": _chips(request.GET, counts),
        "failures": counts.get(File.Status.FAILURE, 0),
    }
    return render_page(request, "web/files.html", context, reader=reader)


def _chips(query: QueryDict, counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return one link a state, and one for all, each with how many files it shows."""
    chips = [("", sum(counts.values())), *((state, counts.get(state, 0)) for state in FILE_STATES)]
    links = []
    for status, count in chips:
        if count == 0 and status not in {"", query.get("status")}:
            continue
        target = query.copy()
        target.pop("page", None)
        target["status"] = status
        links.append({"status": status, "count": count, "url": f"?{target.urlencode()}"})
    return links


@signed_in
@require_safe
def file_rows(request: HttpRequest) -> HttpResponse:
    """Render the rows of the files asked for, for a page that follows their states."""
    reader = viewer_of(request)
    try:
        ids = [uuid.UUID(text) for text in request.GET.getlist("id")]
    except ValueError as error:
        raise BadRequest from error
    if len(ids) > ROWS_AT_ONCE:
        raise BadRequest
    context = {"files": reader.rows(File).filter(pk__in=ids)}
    return render_page(request, "web/partials/file_rows.html", context, reader=reader)


@signed_in
@require_safe
def file(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show one file: its facts, or why it could not be read."""
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    context = {
        "room": "files",
        "file": asked,
        "placing": PlaceForm(reader=reader, file=asked) if reader.writes_files else None,
    }
    return render_page(request, "web/file.html", context, reader=reader)


@signed_in
@rerender_on_error(file)
def retry(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    reader = viewer_of(request)
    retry_file(actor=reader.user, file=_asked(reader, pk))
    wanted = request.POST.get("next", "")
    return redirect(next_page(request, wanted, otherwise=reverse("web:file", args=[pk])))


@signed_in
@rerender_on_error(files)
def retry_all(request: HttpRequest) -> HttpResponse:
    reader = viewer_of(request)
    if reader.client is not None:
        retry_failed_files(actor=reader.user, client=reader.client)
    return redirect("web:files")


@signed_in
@rerender_on_error(file)
def place(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Put a file into a consignment, or into none."""
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    form = PlaceForm(request.POST, reader=reader, file=asked)
    if not form.is_valid():
        raise BadRequest
    place_file(actor=reader.user, file=asked, consignment=form.cleaned_data["consignment_id"])
    return redirect("web:file", pk=pk)


@signed_in
@rerender_on_error(file)
def remove(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    reader = viewer_of(request)
    delete_file(actor=reader.user, file=_asked(reader, pk))
    return redirect("web:files")


def _asked(reader: Viewer, pk: uuid.UUID) -> File:
    rows = reader.rows(File).select_related(
        "client__subscription", "consignment", "log__consignment", "uploaded_by"
    )
    return rows.get_or_not_found(pk=pk)


@signed_in
@require_safe
def upload_page(request: HttpRequest) -> HttpResponse:
    """Show the page that takes up to a hundred files of any kind."""
    reader = viewer_of(request)
    consignments = reader.rows(Consignment).filter(client=reader.client).order_by("-id")
    context = {
        "room": "files",
        "door": files_target(),
        "barred": upload_blocked_reason(reader),
        "consignments": consignments[:RECENT_CONSIGNMENTS],
    }
    return render_page(request, "web/upload.html", context, reader=reader)


@signed_in
@require_safe
def upload_temperatures_page(request: HttpRequest) -> HttpResponse:
    """Show the page that takes a temperature file."""
    reader = viewer_of(request)
    context = {
        "room": "temperatures",
        "door": readings_target(),
        "barred": upload_blocked_reason(reader),
    }
    return render_page(request, "web/upload_temperatures.html", context, reader=reader)
