"""The trash: deleted files and deleted consignments, and the button that restores one."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from timba.consignments.models import DeletedConsignment
from timba.consignments.trash import restore_consignment
from timba.errors import Conflict
from timba.files.models import File
from timba.files.trash import deleted_files
from timba.web.forms import TrashQuery
from timba.web.notices import leave_notice, with_logs
from timba.web.pages import (
    Viewer,
    get_page,
    get_viewer,
    render_page,
    rerender_on_error,
    signed_in,
)

ROWS_PER_PAGE: Final = 50
_LAST_DELETED_FIRST: Final = ("-deleted_at", "-id")


@signed_in
@require_safe
def deleted_files_page(request: HttpRequest) -> HttpResponse:
    """List the deleted files that can be restored, last deleted first."""
    return _render_trash(request, get_viewer(request), "files")


@signed_in
@require_safe
def deleted_consignments_page(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """List the deleted consignments, last deleted first.

    With `pk`, at the address of the form that restores one, only if there is that consignment.
    """
    viewer = get_viewer(request)
    if pk is not None:
        viewer.rows(DeletedConsignment).get_or_not_found(pk=pk)
    return _render_trash(request, viewer, "consignments")


@signed_in
@rerender_on_error(deleted_consignments_page)
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Restore a consignment with its logs; show the trash again where that is refused."""
    viewer = get_viewer(request)
    rows = viewer.rows(DeletedConsignment).select_related("client__subscription")
    deleted = rows.get_or_not_found(pk=pk)
    try:
        consignment = restore_consignment(actor=viewer.user, deleted=deleted)
    except Conflict as refusal:
        refused = {"name": deleted.name, "sentence": str(refusal)}
        return _render_trash(request, viewer, "consignments", refused=refused)
    leave_notice(request, f"{consignment.name} restored{with_logs(consignment.log_count)}.")
    return redirect("web:consignment", pk=pk)


def _render_trash(
    request: HttpRequest,
    viewer: Viewer,
    shown: str,
    *,
    refused: dict[str, str] | None = None,
) -> HttpResponse:
    """Render one of the two lists, with the number of rows in both."""
    form = TrashQuery(request.GET)
    if not form.is_valid():
        raise BadRequest
    words = form.cleaned_data["q"]
    files, consignments = _deleted(viewer, words)
    rows: QuerySet[Any] = files if shown == "files" else consignments
    rows = rows.select_related("deleted_by", "client")
    page = get_page(request, rows, order=_LAST_DELETED_FIRST, limit=ROWS_PER_PAGE)
    kept_for = timedelta(days=settings.TIMBA_TRASH_DAYS)
    for row in page.rows:
        row.kept_until = row.deleted_at + kept_for
    counts = {"files": files.count(), "consignments": consignments.count()}
    context = {
        "section": shown,
        "shown": shown,
        "page": page,
        "words": words,
        "counts": counts,
        "here": f"web:deleted-{shown}",
        "lists": [(name, count, reverse(f"web:deleted-{name}")) for name, count in counts.items()],
        "trash_days": settings.TIMBA_TRASH_DAYS,
        "now": timezone.now(),
        "refused": refused,
    }
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return render_page(request, "web/trash.html", context, viewer=viewer, status=status)


def _deleted(viewer: Viewer, words: str) -> tuple[QuerySet[File], QuerySet[DeletedConsignment]]:
    """Return the deleted files and consignments that the page may show, by their names."""
    files, consignments = deleted_files(viewer.user), viewer.rows(DeletedConsignment)
    if viewer.client:
        files = files.filter(client=viewer.client)
    if words:
        files = files.filter(name_key__finds=words)
        consignments = consignments.filter(Q(name_key__finds=words) | Q(vehicle_key__finds=words))
    return files, consignments.defer("links")
