"""The list of notes: searched while typing, with the notes added and edited in place."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from timba.accounts.tenancy import TenantQuerySet
from timba.notes.models import Note, contains_words
from timba.notes.services import change_note, delete_note, write_note
from timba.web.forms import NoteForm, NotesQuery
from timba.web.pages import (
    Viewer,
    find_consignment,
    get_page,
    get_viewer,
    render_page,
    rerender_on_error,
    signed_in,
)

NOTES_PER_PAGE = 50


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notes_page(request: HttpRequest) -> HttpResponse:
    """List the notes; a POST adds one."""
    viewer = get_viewer(request)
    if request.method != "POST":
        new_form = NoteForm(viewer=viewer) if "new" in request.GET else None
        return _render_list(request, viewer, new_form=new_form)
    form = NoteForm(request.POST, viewer=viewer)
    if viewer.client is not None and form.is_valid():
        write = partial(write_note, actor=viewer.user, client=viewer.client, **_note_fields(form))
        if form.attempt(write) is not None:
            return redirect("web:notes")
    return _render_list(request, viewer, new_form=form, status=form.status)


@signed_in
@require_safe
def note_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one note by itself."""
    viewer = get_viewer(request)
    return _render_list(request, viewer, only=_get_note(viewer, pk))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_note(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a note's form in place of the note; a POST changes the note."""
    viewer = get_viewer(request)
    note = _get_note(viewer, pk)
    if request.method != "POST":
        form = NoteForm(viewer=viewer, note=note)
        return _render_list(request, viewer, only=note, edit_form=form)
    form = NoteForm(request.POST, viewer=viewer, note=note)
    if form.is_valid():
        change = partial(change_note, actor=viewer.user, note=note, **_note_fields(form))
        if form.attempt(change) is not None:
            return redirect("web:note", pk=note.pk)
    return _render_list(request, viewer, only=note, edit_form=form, status=form.status)


@signed_in
@rerender_on_error(note_page)
def remove_note(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = get_viewer(request)
    delete_note(actor=viewer.user, note=_get_note(viewer, pk))
    return redirect("web:notes")


def _get_note(viewer: Viewer, pk: int) -> Note:
    notes = viewer.rows(Note).select_related("client__subscription", "consignment")
    return notes.get_or_not_found(pk=pk)


def _note_fields(form: NoteForm) -> dict[str, Any]:
    """Return the keyword arguments for the services of notes."""
    fields = form.cleaned_data
    return {
        "title": fields["title"],
        "content": fields["content"],
        "consignment": fields["consignment_id"],
    }


def _render_list(
    request: HttpRequest,
    viewer: Viewer,
    *,
    new_form: NoteForm | None = None,
    only: Note | None = None,
    edit_form: NoteForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    query = NotesQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    rows = viewer.rows(Note)
    total = rows.count()
    is_filtered = only is not None or any(query.cleaned_data.values())
    rows = rows.filter(pk=only.pk) if only is not None else _filter(rows, query.cleaned_data)
    context = {
        "section": "notes",
        "total": total,
        "shown": rows.count() if is_filtered else total,
        "page": get_page(request, rows.select_related("consignment"), limit=NOTES_PER_PAGE),
        "query": query.cleaned_data,
        "consignment": find_consignment(viewer, query.cleaned_data["consignment_id"]),
        "new_form": new_form,
        "only": only,
        "edit_form": edit_form,
    }
    return render_page(request, "web/notes.html", context, viewer=viewer, status=status)


def _filter(rows: TenantQuerySet[Note], query: dict[str, Any]) -> TenantQuerySet[Note]:
    if text := query["q"]:
        rows = rows.filter(contains_words(text))
    if query["consignment_id"]:
        rows = rows.filter(consignment_id=query["consignment_id"])
    return rows
