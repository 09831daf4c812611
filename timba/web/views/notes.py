"""The notes: a list that is searched as one types, written and changed in place."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from timba.accounts.models import Client
from timba.accounts.tenancy import TenantQuerySet
from timba.db.text import text_contains
from timba.errors import Invalid
from timba.notes.models import Note
from timba.notes.services import change_note, delete_note, write_note
from timba.web.forms import NoteForm, NotesQuery
from timba.web.pages import (
    Viewer,
    of_consignment,
    render_page,
    rerender_on_error,
    signed_in,
    viewer_of,
)

NOTES_ON_A_PAGE = 50


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notes(request: HttpRequest) -> HttpResponse:
    """List the notes; a POST adds one."""
    reader = viewer_of(request)
    if request.method != "POST":
        adding = NoteForm(reader=reader) if "new" in request.GET else None
        return _list(request, reader, adding=adding)
    form = NoteForm(request.POST, reader=reader)
    if reader.client is not None and form.is_valid() and _write(form, reader, reader.client):
        return redirect("web:notes")
    return _list(request, reader, adding=form, status=HTTPStatus.BAD_REQUEST)


@signed_in
@require_safe
def note(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one note by itself."""
    reader = viewer_of(request)
    return _list(request, reader, only=_asked(reader, pk))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit_note(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a note's form in its place; a POST changes the note."""
    reader = viewer_of(request)
    asked = _asked(reader, pk)
    if request.method != "POST":
        return _list(request, reader, only=asked, editing=NoteForm(reader=reader, note=asked))
    form = NoteForm(request.POST, reader=reader, note=asked)
    if form.is_valid() and _change(form, reader, asked):
        return redirect("web:note", pk=asked.pk)
    return _list(request, reader, only=asked, editing=form, status=HTTPStatus.BAD_REQUEST)


@signed_in
@rerender_on_error(note)
def remove_note(request: HttpRequest, pk: int) -> HttpResponse:
    reader = viewer_of(request)
    delete_note(actor=reader.user, note=_asked(reader, pk))
    return redirect("web:notes")


def _asked(reader: Viewer, pk: int) -> Note:
    notes = reader.rows(Note).select_related("client__subscription", "consignment")
    return notes.get_or_not_found(pk=pk)


def _write(form: NoteForm, reader: Viewer, client: Client) -> bool:
    said = form.cleaned_data
    try:
        write_note(
            actor=reader.user,
            client=client,
            title=said["title"],
            content=said["content"],
            consignment=said["consignment_id"],
        )
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    return True


def _change(form: NoteForm, reader: Viewer, asked: Note) -> bool:
    said = form.cleaned_data
    try:
        change_note(
            actor=reader.user,
            note=asked,
            title=said["title"],
            content=said["content"],
            consignment=said["consignment_id"],
        )
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    return True


def _list(
    request: HttpRequest,
    reader: Viewer,
    *,
    adding: NoteForm | None = None,
    only: Note | None = None,
    editing: NoteForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    query = NotesQuery(request.GET)
    if not query.is_valid():
        raise BadRequest
    rows = reader.rows(Note)
    total = rows.count()
    rows = rows.filter(pk=only.pk) if only is not None else _narrowed(rows, query.cleaned_data)
    pages = Paginator(rows.select_related("consignment").order_by("-id"), NOTES_ON_A_PAGE)
    context = {
        "room": "notes",
        "total": total,
        "page": pages.get_page(request.GET.get("page")),
        "query": query.cleaned_data,
        "of": of_consignment(reader, query.cleaned_data["consignment_id"]),
        "adding": adding,
        "only": only,
        "editing": editing,
    }
    return render_page(request, "web/notes.html", context, reader=reader, status=status)


def _narrowed(rows: TenantQuerySet[Note], query: dict[str, Any]) -> TenantQuerySet[Note]:
    if words := query["q"]:
        rows = rows.filter(text_contains(words, "title", "content"))
    if query["consignment_id"]:
        rows = rows.filter(consignment_id=query["consignment_id"])
    return rows
