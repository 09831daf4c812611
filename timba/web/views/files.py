"""The list of files, the page of one file, and the pages that upload files."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from timba.accounts.models import Client
from timba.accounts.tenancy import TenantQuerySet
from timba.consignments.models import Consignment
from timba.files.models import File
from timba.files.ocr import waits_for_ocr, why_ocr_is_off
from timba.files.search import add_passages, search_files
from timba.files.services import (
    delete_file,
    link_file,
    retry_failed_files,
    retry_file,
)
from timba.web.answers_form import AnswersForm
from timba.web.forms import (
    FILE_STATUSES,
    MAX_LISTED_CONSIGNMENTS,
    FileLinkForm,
    FilesQuery,
    PictureQuery,
)
from timba.web.notices import leave_notice, undo_deletion
from timba.web.pages import (
    Viewer,
    find_consignment,
    get_page,
    get_viewer,
    list_cities,
    render_page,
    rerender_on_error,
    safe_next_url,
    signed_in,
)
from timba.web.pictures import PHOTOS_FIRST, picture_of
from timba.web.tally_form import TallyForm
from timba.web.temperature_form import TemperatureForm
from timba.web.upload_targets import get_files_target, get_readings_target, upload_blocked_reason

FILES_PER_PAGE = 50
MAX_ROWS_PER_REQUEST = 100


@signed_in
@require_safe
def files_page(request: HttpRequest) -> HttpResponse:
    """List the files, newest first."""
    viewer = get_viewer(request)
    form = FilesQuery(request.GET)
    if not form.is_valid():
        raise BadRequest
    query = form.cleaned_data
    rows = _matching(viewer, query)
    shown = rows.filter(status=query["status"]) if query["status"] else rows
    # The page polls a file until it is processed. The counts are read after the statuses, so that a
    # page with the final status also shows the final counts.
    page = get_page(request, shown, order=("-uploaded_at", "-id"), limit=FILES_PER_PAGE)
    add_passages(page.rows, query["q"])
    counts = dict(rows.order_by().values_list("status").annotate(count=Count("pk")))
    context = {
        "section": "files",
        "page": page,
        "total": viewer.rows(File).count(),
        "shown": counts.get(query["status"], 0) if query["status"] else sum(counts.values()),
        "kinds": File.Kind.choices,
        "query": query,
        "consignment": find_consignment(viewer, query["consignment_id"]),
        "status_links": _status_links(request.GET, counts),
        "failure_count": counts.get(File.Status.FAILURE, 0),
        "list_query": _list_query(request.GET),
        "consignments": newest_consignments(viewer, viewer.client),
    }
    return render_page(request, "web/files.html", context, viewer=viewer)


def newest_consignments(
    viewer: Viewer, client: Client | None, *, but: int = 0
) -> QuerySet[Consignment]:
    """Return the newest consignments of a client, which a page offers for its files."""
    rows = viewer.rows(Consignment).filter(client=client).exclude(pk=but).order_by("-id")
    return rows[:MAX_LISTED_CONSIGNMENTS]


def _matching(viewer: Viewer, query: dict[str, Any]) -> TenantQuerySet[File]:
    """Return the files of a list, whatever their status."""
    rows = viewer.rows(File)
    if query["q"]:
        client_id = None if viewer.client is None else viewer.client.pk
        rows = search_files(rows, query["q"], viewer=viewer.user, client_id=client_id)
    if query["kind"]:
        rows = rows.filter(kind=query["kind"])
    if query["consignment_id"]:
        rows = rows.filter(consignment_id=query["consignment_id"])
    return rows


def _list_query(filters: QueryDict) -> str:
    """Return the query by which the page of a file knows the list that it was opened from."""
    kept = {name: str(filters[name]) for name in FilesQuery.base_fields if filters.get(name)}
    return f"?{urlencode({'in': 'files', **kept})}"


def _status_links(query: QueryDict, counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return a link for all files and one for each status, with the number of its files."""
    totals = [
        ("", sum(counts.values())),
        *((status, counts.get(status, 0)) for status in FILE_STATUSES),
    ]
    links = []
    for status, count in totals:
        if count == 0 and status not in {"", query.get("status")}:
            continue
        link = query.copy()
        link.pop("cursor", None)
        link.pop("limit", None)
        link["status"] = status
        links.append({"status": status, "count": count, "url": f"?{link.urlencode()}"})
    return links


@signed_in
@require_safe
def file_rows(request: HttpRequest) -> HttpResponse:
    """Render the rows of the files with the given ids, for a page that polls their statuses."""
    viewer = get_viewer(request)
    try:
        ids = [uuid.UUID(text) for text in request.GET.getlist("id")]
    except ValueError as error:
        raise BadRequest from error
    if len(ids) > MAX_ROWS_PER_REQUEST:
        raise BadRequest
    context = {"files": viewer.rows(File).filter(pk__in=ids)}
    return render_page(request, "web/partials/file_rows.html", context, viewer=viewer)


@signed_in
@require_safe
def file_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show one file: its result, or why it could not be read."""
    viewer = get_viewer(request)
    return render_file(request, get_file(viewer, pk), viewer=viewer)


def render_file(
    request: HttpRequest,
    file: File,
    *,
    viewer: Viewer,
    answers: AnswersForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the page of a file; `answers` is a form that was sent and cannot be taken."""
    can_write = viewer.can_write_files
    if answers is None and can_write and can_be_read_otherwise(file):
        answers = answers_form(file)
    context = {
        "section": "files",
        "file": file,
        "link_form": FileLinkForm(viewer=viewer, file=file) if can_write else None,
        "answers": answers,
        "trash_days": settings.TIMBA_TRASH_DAYS,
        "ocr_is_off": why_ocr_is_off(),
        "waits_for_ocr": waits_for_ocr(file),
        "cities": list_cities(viewer, file.owner_id) if answers and not answers.dry_run else [],
        **_picture(request.GET, file, viewer),
    }
    return render_page(request, "web/file.html", context, viewer=viewer, status=status)


def _picture(data: QueryDict, file: File, viewer: Viewer) -> dict[str, Any]:
    """Return the picture of a file, and the list it was opened from: its name and address."""
    form = PictureQuery(data)
    if not form.is_valid():
        raise BadRequest
    query = form.cleaned_data
    page = query["page"] or 1
    if query["in"] == "consignment" and file.consignment:
        rows = viewer.rows(File).filter(consignment=file.consignment)
        picture = picture_of(
            file, page=page, rows=rows, order=PHOTOS_FIRST, query="?in=consignment"
        )
        url = reverse("web:consignment", args=[file.consignment.pk])
        return {"picture": picture, "list_name": file.consignment.name, "list_url": url}
    if query["in"] == "files":
        rows = _matching(viewer, query)
        if query["status"]:
            rows = rows.filter(status=query["status"])
        picture = picture_of(file, page=page, rows=rows, query=_list_query(data))
        # The list takes no notice of the parameter that names it.
        return {"picture": picture, "list_url": reverse("web:files") + _list_query(data)}
    return {"picture": picture_of(file, page=page)}


def can_be_read_otherwise(file: File) -> bool:
    """Return whether a person may say how a file is to be read.

    A tally only as long as nothing of it is recorded.
    """
    if file.kind == File.Kind.TEMPERATURES:
        return file.status == File.Status.SUCCESS or (file.processed and bool(file.asks))
    return file.kind == File.Kind.TALLY and file.can_be_retried and bool(file.asks)


def answers_form(file: File, data: QueryDict | None = None) -> AnswersForm:
    """Return the form for a file that can be read otherwise."""
    form = TemperatureForm if file.kind == File.Kind.TEMPERATURES else TallyForm
    return form(data, file=file)


@signed_in
@rerender_on_error(file_page)
def retry(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    viewer = get_viewer(request)
    retry_file(actor=viewer.user, file=get_file(viewer, pk))
    default = reverse("web:file", args=[pk])
    return HttpResponseRedirect(
        safe_next_url(request, request.POST.get("next", ""), default=default)
    )


@signed_in
@rerender_on_error(files_page)
def retry_failed(request: HttpRequest) -> HttpResponse:
    viewer = get_viewer(request)
    if viewer.client is not None:
        retry_failed_files(actor=viewer.user, client=viewer.client)
    return redirect("web:files")


@signed_in
@rerender_on_error(file_page)
def link_to_consignment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Move a file into a consignment, or out of it."""
    viewer = get_viewer(request)
    file = get_file(viewer, pk)
    form = FileLinkForm(request.POST, viewer=viewer, file=file)
    if not form.is_valid():
        raise BadRequest
    link_file(actor=viewer.user, file=file, consignment=form.cleaned_data["consignment_id"])
    return redirect("web:file", pk=pk)


@signed_in
@rerender_on_error(file_page)
def remove_file(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    viewer = get_viewer(request)
    file = get_file(viewer, pk)
    delete_file(actor=viewer.user, file=file)
    leave_notice(request, f"{file.name} deleted.", undo=undo_deletion([file.pk]))
    url = request.POST.get("next", "")
    return HttpResponseRedirect(safe_next_url(request, url, default=reverse("web:files")))


def get_file(viewer: Viewer, pk: uuid.UUID) -> File:
    rows = viewer.rows(File).select_related(
        "client__subscription", "consignment", "log__consignment", "uploaded_by"
    )
    return rows.get_or_not_found(pk=pk)


@signed_in
@require_safe
def upload_page(request: HttpRequest) -> HttpResponse:
    """Show the page that uploads up to a hundred files of any kind."""
    viewer = get_viewer(request)
    context = {
        "section": "files",
        "upload_target": get_files_target(),
        "upload_blocked": upload_blocked_reason(viewer),
        "consignments": newest_consignments(viewer, viewer.client),
    }
    return render_page(request, "web/upload.html", context, viewer=viewer)


@signed_in
@require_safe
def upload_temperatures_page(request: HttpRequest) -> HttpResponse:
    """Show the page that uploads a temperature file."""
    viewer = get_viewer(request)
    context = {
        "section": "temperatures",
        "upload_target": get_readings_target(),
        "upload_blocked": upload_blocked_reason(viewer),
        "cities": list_cities(viewer, viewer.client.pk) if viewer.client else [],
    }
    return render_page(request, "web/upload_temperatures.html", context, viewer=viewer)
