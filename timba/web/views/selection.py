"""Actions on the files that are selected on a page: move, delete, restore, retry, download."""

from __future__ import annotations

import re
import uuid
from typing import Final

from django.core.exceptions import BadRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.http import content_disposition_header

from timba.consignments.models import Consignment
from timba.errors import NotFound, Unavailable
from timba.files import archive
from timba.files.bulk import ACTIONS, MAX_FILES, change_files
from timba.files.models import File
from timba.files.trash import restorable_files
from timba.web.notices import leave_notice, leave_outcome
from timba.web.pages import (
    Viewer,
    get_viewer,
    rerender_on_error,
    safe_next_url,
    signed_in,
)
from timba.web.views.files import files_page

# The choice of the list of consignments that takes files out of any; to choose none is refused.
NO_CONSIGNMENT: Final = "none"
_CHOICE: Final = re.compile(f"|{NO_CONSIGNMENT}|[0-9]{{1,18}}")
TOO_MANY: Final = f"Nothing was changed: select at most {MAX_FILES:,} files at once."
NO_FILES: Final = "Nothing was changed: select files first."
NO_PLACE: Final = "Nothing was changed: choose a consignment first."
AWAITS: Final = "It is a dry run. Open it to see what it would add."


@signed_in
@rerender_on_error(files_page)
def change_selected(request: HttpRequest) -> HttpResponse:
    """Do one action on the selected files, each by itself; the next page tells what was done."""
    viewer = get_viewer(request)
    file_ids, action = _file_ids(request), request.POST.get("action")
    chosen = request.POST.get("consignment_id", "")
    if action not in ACTIONS or not _CHOICE.fullmatch(chosen):
        raise BadRequest
    if not file_ids or len(file_ids) > MAX_FILES:
        leave_notice(request, TOO_MANY if file_ids else NO_FILES)
        return _back(request)
    if action == "move" and not chosen:
        leave_notice(request, NO_PLACE)
        return _back(request)
    place = _find_place(viewer, chosen) if action == "move" else None
    awaiting = _dry_runs(viewer, file_ids) if action == "retry" else set()
    outcome = change_files(
        actor=viewer.user,
        file_ids=[file_id for file_id in file_ids if file_id not in awaiting],
        action=action,
        consignment=place,
    )
    outcome.errors |= dict.fromkeys(awaiting, AWAITS)
    known = restorable_files(viewer.user).filter(pk__in=file_ids)
    names = dict(known.values_list("pk", "name"))
    leave_outcome(request, action, outcome, names=names, place=place)
    return _back(request)


@signed_in
@rerender_on_error(files_page)
def download_selected(request: HttpRequest) -> HttpResponseBase:
    """Send the selected files in a ZIP archive; where that is refused, the next page tells why."""
    viewer = get_viewer(request)
    file_ids = _file_ids(request)
    if not file_ids or len(file_ids) > archive.MAX_FILES:
        leave_notice(request, TOO_MANY if file_ids else NO_FILES)
        return _back(request)
    try:
        files = archive.select_files(viewer.rows(File), file_ids)
    except (NotFound, Unavailable) as refusal:
        leave_notice(request, f"Nothing was downloaded. {refusal}")
        return _back(request)
    response = StreamingHttpResponse(archive.write_archive(files), content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename="files.zip"
    )
    return response


def _file_ids(request: HttpRequest) -> list[uuid.UUID]:
    """Return the ids of the selected files, each once; raise BadRequest for what is no id."""
    try:
        return list(dict.fromkeys(map(uuid.UUID, request.POST.getlist("file_id"))))
    except ValueError as error:
        raise BadRequest from error


def _find_place(viewer: Viewer, chosen: str) -> Consignment | None:
    if chosen == NO_CONSIGNMENT:
        return None
    return viewer.rows(Consignment).get_or_not_found(pk=chosen)


def _dry_runs(viewer: Viewer, file_ids: list[uuid.UUID]) -> set[uuid.UUID]:
    """Return the dry runs that would be recorded, unseen, if they were processed again."""
    files = viewer.rows(File).filter(pk__in=file_ids, dry_run=True, status=File.Status.SUCCESS)
    return set(files.values_list("pk", flat=True))


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page that the form is on."""
    url = request.POST.get("next", "")
    return HttpResponseRedirect(safe_next_url(request, url, default=reverse("web:files")))
