"""How files are read: answers, dry runs, and the profiles remembered from answers."""

from __future__ import annotations

import uuid
from functools import partial

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from timba.accounts.authorization import require
from timba.accounts.permissions import Permission
from timba.errors import Conflict
from timba.files.models import ImportProfile
from timba.files.profiles import delete_profile
from timba.files.services import retry_file
from timba.web.pages import (
    get_page,
    get_viewer,
    render_page,
    rerender_on_error,
    safe_next_url,
    signed_in,
)
from timba.web.views.files import (
    answers_form,
    can_be_read_otherwise,
    file_page,
    get_file,
    render_file,
)

PROFILES_PER_PAGE = 50


@signed_in
@rerender_on_error(file_page)
def answer(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Read a file as the person says; a tally in a dry run that shows what would be recorded."""
    viewer = get_viewer(request)
    file = get_file(viewer, pk)
    require(viewer.user, Permission.WRITE_FILES, client=file.client)
    if not can_be_read_otherwise(file):
        raise Conflict("This file cannot be read otherwise any more. Reload its page.")
    form = answers_form(file, request.POST)
    if form.is_valid():
        retry = partial(retry_file, actor=viewer.user, file=file)
        retried = form.attempt(partial(retry, read_as=form.read_as, dry_run=form.dry_run))
        if retried is not None:
            return redirect("web:file", pk=pk)
    return render_file(request, file, viewer=viewer, answers=form, status=form.status)


@signed_in
@rerender_on_error(file_page)
def record(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Record the logs of a sheet whose dry run a person has seen."""
    viewer = get_viewer(request)
    retry_file(actor=viewer.user, file=get_file(viewer, pk), dry_run=False)
    return HttpResponseRedirect(
        safe_next_url(request, request.POST.get("next", ""), default=reverse("web:file", args=[pk]))
    )


@signed_in
@require_safe
def profiles_page(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """List how files with a known header are read, the latest first.

    With `pk`, at the address of the form that deletes one, only if there is that profile.
    """
    viewer = get_viewer(request)
    if pk is not None:
        viewer.rows(ImportProfile).get_or_not_found(pk=pk)
    rows = viewer.rows(ImportProfile).select_related("created_by")
    context = {
        "section": "files",
        "page": get_page(request, rows, limit=PROFILES_PER_PAGE),
    }
    return render_page(request, "web/import_profiles.html", context, viewer=viewer)


@signed_in
@rerender_on_error(profiles_page)
def remove_profile(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = get_viewer(request)
    profile = viewer.rows(ImportProfile).get_or_not_found(pk=pk)
    delete_profile(actor=viewer.user, profile=profile)
    return redirect("web:import-profiles")
