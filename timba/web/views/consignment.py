"""One consignment: its logs, files, notes, temperatures and story on one page, and on paper."""

from __future__ import annotations

from dataclasses import dataclass
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
from timba.consignments.events import subject_of
from timba.consignments.models import Consignment, Log
from timba.events.history import timeline_of
from timba.files.models import File
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.temperatures.schemas import CitySchema, serialize_city
from timba.temperatures.statistics import city_statistics
from timba.web.forms import LogForm, LogsQuery, NoteForm
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in, viewer_of
from timba.web.pagination import KeysetPage, newest_first
from timba.web.timeline import Entry, describe
from timba.web.upload_targets import files_target, upload_blocked_reason
from timba.web.views.consignments import with_city_name

LOGS_ON_A_PAGE: Final = 50
PHOTOS_SHOWN: Final = 7
FILES_SHOWN: Final = 20
NOTES_SHOWN: Final = 10
EVENTS_TOLD: Final = 200
LINES_TOLD: Final = 8
_IS_SHOWN_PHOTO = Q(kind=File.Kind.PHOTO, status=File.Status.SUCCESS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Some of a consignment's story; what is older lies before the number `more`."""

    lines: list[Entry]
    more: int | None


@signed_in
@require_safe
def consignment(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one consignment with all that belongs to it."""
    return show_consignment(request, viewer_of(request), pk)


@signed_in
@rerender_on_error(consignment)
def add_note(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a note about a consignment."""
    reader = viewer_of(request)
    asked = consignment_asked(reader, pk)
    # Which consignment is said by the address.
    form = NoteForm({**request.POST.dict(), "consignment_id": ""}, reader=reader)
    if form.is_valid():
        write = partial(
            write_note,
            actor=reader.user,
            client=asked.client,
            title=form.cleaned_data["title"],
            content=form.cleaned_data["content"],
            consignment=asked,
        )
        if form.attempt(write) is not None:
            return redirect(reverse("web:consignment", args=[pk]) + "#notes")
    return show_consignment(request, reader, pk, noting=form, status=form.status)


@signed_in
@require_safe
def history(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell the whole story of a consignment, stretch by stretch."""
    reader = viewer_of(request)
    asked = consignment_asked(reader, pk)
    query = LogsQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    context = {
        "room": "consignments",
        "consignment": asked,
        "before": query.cleaned_data["before"],
        "past": _past(reader, asked, before=query.cleaned_data["before"]),
    }
    return render_page(request, "web/consignment_history.html", context, reader=reader)


@signed_in
@require_safe
def paper(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a consignment as it is printed: every log, in the order of arrival."""
    reader = viewer_of(request)
    files = _files(reader, pk)
    asked = consignment_asked(reader, pk)
    context = {
        "room": "consignments",
        "consignment": asked,
        "logs": reader.rows(Log).filter(consignment=asked).order_by("pk"),
        "notes": reader.rows(Note).filter(consignment=asked).order_by("-pk"),
        "city": _temperatures(asked),
        "printed_at": timezone.now(),
        "shape": "full",
        **files,
    }
    return render_page(request, "web/consignment_paper.html", context, reader=reader)


def consignment_asked(reader: Viewer, pk: int) -> Consignment:
    """Return the consignment that a page is about, with what its head says."""
    rows = reader.rows(Consignment).select_related("client__subscription", "created_by")
    found: Consignment = with_city_name(rows).get_or_not_found(pk=pk)  # type: ignore[attr-defined]
    return found


def show_consignment(
    request: HttpRequest,
    reader: Viewer,
    pk: int,
    *,
    adding: LogForm | None = None,
    noting: NoteForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the page of a consignment, with a form of it that was refused."""
    query = LogsQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    # The page follows a file until it is settled: what a file has changed is read after its state.
    files = _files(reader, pk)
    asked = consignment_asked(reader, pk)
    logs = logs_of(reader, asked, before=query.cleaned_data["before"])
    notes = reader.rows(Note).filter(consignment=asked).order_by("-pk")
    past = _past(reader, asked)
    context = {
        "room": "consignments",
        "consignment": asked,
        "logs": logs,
        **_numbers(query.cleaned_data, asked, shown=len(logs.rows)),
        "litres": int(asked.volume * 1000),
        "blank": Log(pk=0, length=0, breadth=0, height=0, volume=0),
        "adding": adding or LogForm.like(logs.rows[0] if logs.rows else None, form_id="entry"),
        "notes": notes[:NOTES_SHOWN],
        "note_count": notes.count(),
        "noting": noting or NoteForm(reader=reader),
        "is_noting": noting is not None,
        "city": _temperatures(asked),
        "shape": "short",
        "lines": past.lines[:LINES_TOLD],
        "door": files_target(),
        "barred": upload_blocked_reason(reader) if reader.client else "",
        **files,
    }
    return render_page(request, "web/consignment.html", context, reader=reader, status=status)


def logs_of(reader: Viewer, asked: Consignment, *, before: int | None = None) -> KeysetPage[Log]:
    rows = reader.rows(Log).filter(consignment=asked)
    return newest_first(rows, before=before, size=LOGS_ON_A_PAGE)


def _numbers(query: dict[str, int | None], asked: Consignment, *, shown: int) -> dict[str, Any]:
    """Return which number the first of the logs shown has; older ones go on counting from it."""
    first = query["number"] or asked.log_count
    return {
        "number": first,
        "older_number": max(1, first - shown),
        "next_number": asked.log_count + 1,
        "is_older": query["before"] is not None,
    }


def _files(reader: Viewer, pk: int) -> dict[str, Any]:
    """Return a consignment's photos that can be looked at, its other files, and their numbers."""
    files = reader.rows(File).filter(consignment_id=pk)
    in_order = files.order_by("-uploaded_at", "-id")
    # In this order a photo that is settled meanwhile is shown twice rather than not at all.
    documents = list(in_order.exclude(_IS_SHOWN_PHOTO)[:FILES_SHOWN])
    photos = list(in_order.filter(_IS_SHOWN_PHOTO)[: PHOTOS_SHOWN + 1])
    counts = files.aggregate(
        file_count=Count("pk"),
        photo_count=Count("pk", filter=_IS_SHOWN_PHOTO),
        failure_count=Count("pk", filter=Q(status=File.Status.FAILURE)),
    )
    others = counts["file_count"] - counts["photo_count"]
    return {**counts, "document_count": others, "photos": photos, "documents": documents}


def _temperatures(asked: Consignment) -> CitySchema | None:
    if asked.city_id is None:
        return None
    found = city_statistics(client_id=asked.client_id, city_id=asked.city_id)
    return None if found is None else serialize_city(found)


def _past(reader: Viewer, asked: Consignment, *, before: int | None = None) -> Past:
    events = timeline_of(
        subject_of(asked.pk), client_id=asked.client_id, limit=EVENTS_TOLD + 1, before=before
    )
    told = events[:EVENTS_TOLD]
    more = told[-1].sequence if len(events) > len(told) else None
    actors = {event.actor_id for event in told if event.actor_id is not None}
    names = {
        user.pk: user.name or user.username
        for user in User.objects.visible_to(reader.user).filter(pk__in=actors)
    }
    return Past(lines=describe(told, names, whole=more is None), more=more)
