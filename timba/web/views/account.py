"""One's own account: everyone's name and address, and the password."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from timba.accounts.services import change_user
from timba.web.forms import OwnForm, OwnPasswordForm
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in, viewer_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show one's own form; a POST changes what it says."""
    reader = viewer_of(request)
    form = _own_form(request, reader)
    if request.method == "POST":
        change = partial(change_user, actor=reader.user, user=reader.user)
        if form.is_valid() and form.attempt(partial(change, **form.changes)) is not None:
            return redirect("web:account")
        return _show(request, reader, form, status=form.status)
    return _show(request, reader, form)


@sensitive_post_parameters()
@signed_in
@rerender_on_error(account)
def own_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; every other sign-in ends, this one stays."""
    reader = viewer_of(request)
    form = OwnPasswordForm(request.POST)
    if form.is_valid():
        change = partial(change_user, actor=reader.user, user=reader.user, **form.cleaned_data)
        changed = form.attempt(change)
        if changed is not None:
            update_session_auth_hash(request, changed)
            return redirect("web:account")
    return _show(request, reader, _own_form(request, reader), password=form, status=form.status)


def _own_form(request: HttpRequest, reader: Viewer) -> OwnForm:
    user = reader.user
    initial = {"name": user.name, "contact": user.contact, "address": user.address}
    is_said = request.method == "POST" and "name" in request.POST
    return OwnForm(request.POST if is_said else None, initial=initial)


def _show(
    request: HttpRequest,
    reader: Viewer,
    form: OwnForm,
    *,
    password: OwnPasswordForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {"room": "account", "form": form, "password": password or OwnPasswordForm()}
    return render_page(request, "web/account.html", context, reader=reader, status=status)
