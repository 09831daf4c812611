"""The page of one consignment: its logs, files, notes, temperatures and timeline; and in print."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from timba.accounts.models import User
from timba.accounts.time_zones import client_zone
from timba.consignments.events import subject_of
from timba.consignments.models import Consignment, Log
from timba.db.pagination import Page, paginate
from timba.events.history import timeline_of
from timba.events.models import OutboxEvent, OutboxQuerySet
from timba.files.models import File
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.temperatures.schemas import CityStatisticsSchema, serialize_city_statistics
from timba.temperatures.statistics.cities import city_statistics
from timba.web.forms import LogNumberQuery, NoteForm
from timba.web.log_forms import LogForm, comparison_for_script
from timba.web.pages import Viewer, get_page, get_viewer, render_page, rerender_on_error, signed_in
from timba.web.pictures import HAS_PICTURE
from timba.web.timeline import Entry, describe
from timba.web.upload_targets import get_files_target, upload_blocked_reason
from timba.web.views.consignments import annotate_city_name
from timba.web.views.files import newest_consignments

LOGS_PER_PAGE: Final = 50
MAX_PHOTOS: Final = 7
MAX_FILES: Final = 20
MAX_NOTES: Final = 10
EVENTS_PER_PAGE: Final = 200
EVENT_ORDER: Final = ("-sequence",)
MAX_ENTRIES: Final = 8
_IS_PHOTO: Final = HAS_PICTURE & Q(kind=File.Kind.PHOTO)


@signed_in
@require_safe
def consignment_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one consignment with all that belongs to it."""
    return render_consignment(request, get_viewer(request), pk)


@signed_in
@rerender_on_error(consignment_page)
def add_note(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a note about a consignment."""
    viewer = get_viewer(request)
    consignment = get_consignment(viewer, pk)
    # The address names the consignment; the form has no field for it.
    form = NoteForm({**request.POST.dict(), "consignment_id": ""}, viewer=viewer)
    if form.is_valid():
        write = partial(
            write_note,
            actor=viewer.user,
            client=consignment.client,
            title=form.cleaned_data["title"],
            content=form.cleaned_data["content"],
            consignment=consignment,
        )
        if form.attempt(write) is not None:
            return redirect(reverse("web:consignment", args=[pk]) + "#notes")
    return render_consignment(request, viewer, pk, note_form=form, status=form.status)


@signed_in
@require_safe
def timeline_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the whole timeline of a consignment, page by page."""
    viewer = get_viewer(request)
    consignment = get_consignment(viewer, pk)
    page = get_page(request, _get_events(consignment), order=EVENT_ORDER, limit=EVENTS_PER_PAGE)
    context = {
        "section": "consignments",
        "consignment": consignment,
        "page": page,
        "entries": _describe_events(viewer, page),
    }
    return render_page(request, "web/consignment_timeline.html", context, viewer=viewer)


@signed_in
@require_safe
def print_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a consignment for printing: all its logs in the order of arrival, documents and notes.

    Its times are in the zone of the company, as those of its PDF, for every reader.
    """
    viewer = get_viewer(request)
    files = _get_files(viewer, pk, max_files=None)
    consignment = get_consignment(viewer, pk)
    context = {
        "section": "consignments",
        "consignment": consignment,
        "logs": viewer.rows(Log).filter(consignment=consignment).order_by("pk"),
        "notes": viewer.rows(Note).filter(consignment=consignment).order_by("-pk"),
        "city": _get_city(consignment),
        "printed_at": timezone.now(),
        "time_format": "full",
        **files,
    }
    with timezone.override(client_zone(consignment.client)):
        return render_page(request, "web/consignment_print.html", context, viewer=viewer)


def get_consignment(viewer: Viewer, pk: int) -> Consignment:
    """Return a consignment with all that the head of its page shows; raise NotFound."""
    rows = viewer.rows(Consignment).select_related("client__subscription", "created_by")
    consignment: Consignment = annotate_city_name(rows).get_or_not_found(pk=pk)  # type: ignore[attr-defined]
    return consignment


def render_consignment(
    request: HttpRequest,
    viewer: Viewer,
    pk: int,
    *,
    log_form: LogForm | None = None,
    note_form: NoteForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the page of a consignment, with a form of it that has errors."""
    query = LogNumberQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    # The page polls a file until it is processed. What the file changes, such as logs, is read
    # after its status, so that a page with the final status also shows the changes.
    files = _get_files(viewer, pk)
    consignment = get_consignment(viewer, pk)
    logs = get_page(request, viewer.rows(Log).filter(consignment=consignment), limit=LOGS_PER_PAGE)
    _add_photos(viewer, logs.rows)
    notes = viewer.rows(Note).filter(consignment=consignment).order_by("-pk")
    events = paginate(
        _get_events(consignment), order=EVENT_ORDER, limit=EVENTS_PER_PAGE, cursor=None
    )
    context = {
        "section": "consignments",
        "consignment": consignment,
        "logs": logs,
        **_row_numbers(query.cleaned_data["number"], consignment, shown=len(logs.rows)),
        "litres": int(consignment.volume * 1000),
        "comparison": comparison_for_script(viewer, consignment),
        "blank": Log(pk=0, length=0, breadth=0, height=0, volume=0),
        "log_form": log_form
        or LogForm.for_next_log(logs.rows[0] if logs.rows else None, form_id="entry"),
        "notes": notes[:MAX_NOTES],
        "note_count": notes.count(),
        "note_form": note_form or NoteForm(viewer=viewer),
        "is_adding_note": note_form is not None,
        "city": _get_city(consignment),
        "time_format": "short",
        "entries": _describe_events(viewer, events)[:MAX_ENTRIES],
        "upload_target": get_files_target(),
        "upload_blocked": upload_blocked_reason(viewer) if viewer.client else "",
        "consignments": newest_consignments(viewer, consignment.client, but=pk),
        **files,
    }
    return render_page(request, "web/consignment.html", context, viewer=viewer, status=status)


def _row_numbers(requested: int | None, consignment: Consignment, *, shown: int) -> dict[str, Any]:
    """Return the number of the first log on the page, and of the first on the next, older page."""
    first = requested or consignment.log_count
    return {
        "number": first,
        "older_number": max(1, first - shown),
        "next_number": consignment.log_count + 1,
    }


def _get_files(viewer: Viewer, pk: int, *, max_files: int | None = MAX_FILES) -> dict[str, Any]:
    """Return the newest photos with a preview, the newest other files, and the counts."""
    files = viewer.rows(File).filter(consignment_id=pk)
    newest_first = files.order_by("-uploaded_at", "-id")
    # In this order a photo that is processed between the queries appears twice, not never.
    documents = list(newest_first.exclude(_IS_PHOTO)[:max_files])
    photos = list(newest_first.filter(_IS_PHOTO)[: MAX_PHOTOS + 1])
    counts = files.aggregate(
        file_count=Count("pk"),
        photo_count=Count("pk", filter=_IS_PHOTO),
        failure_count=Count("pk", filter=Q(status=File.Status.FAILURE)),
    )
    others = counts["file_count"] - counts["photo_count"]
    # One photo more takes no more place than the words that one is left.
    shown = photos if counts["photo_count"] <= MAX_PHOTOS + 1 else photos[:MAX_PHOTOS]
    return {
        **counts,
        "document_count": others,
        "photos": shown,
        "photos_left": max(0, counts["photo_count"] - len(shown)),
        "documents": documents,
        "list_query": "?in=consignment",
    }


def _add_photos(viewer: Viewer, logs: Sequence[Log]) -> None:
    """Let each log have its `photos` with a preview, the newest first."""
    photos: dict[int | None, list[File]] = {log.pk: [] for log in logs}
    rows = viewer.rows(File).filter(_IS_PHOTO, log__in=list(photos))
    for file in rows.order_by("-uploaded_at", "-id"):
        photos[file.log_id].append(file)
    for log in logs:
        log.photos = photos[log.pk]  # type: ignore[attr-defined]


def _get_city(consignment: Consignment) -> CityStatisticsSchema | None:
    if consignment.city_id is None:
        return None
    statistics = city_statistics(client_id=consignment.client_id, city_id=consignment.city_id)
    return None if statistics is None else serialize_city_statistics(statistics)


def _get_events(consignment: Consignment) -> OutboxQuerySet:
    return timeline_of(subject_of(consignment.pk), client_id=consignment.client_id)


def _describe_events(viewer: Viewer, page: Page[OutboxEvent]) -> list[Entry]:
    """Return the entries of the timeline for a page of events."""
    actors = {event.actor_id for event in page.rows if event.actor_id is not None}
    names = {
        user.pk: user.name or user.username
        for user in User.objects.visible_to(viewer.user).filter(pk__in=actors)
    }
    return describe(page.rows, names, is_complete=page.next_cursor is None)
