"""A client's own roles: what each may do."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from timba.accounts.models import Role
from timba.accounts.roles import change_role, delete_role
from timba.web.forms import RoleForm
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in
from timba.web.views.people import manager_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a role's form; a POST changes the role."""
    reader = manager_of(request)
    asked = _asked(reader, pk)
    if request.method != "POST":
        return _show(request, reader, asked, RoleForm.of(asked))
    form = RoleForm.of(asked, request.POST)
    if form.is_valid():
        change = partial(change_role, actor=reader.user, role=asked, **form.cleaned_data)
        if form.attempt(change, clash="name") is not None:
            return redirect("web:people")
    return _show(request, reader, asked, form, status=form.status)


@signed_in
@rerender_on_error(role)
def remove_role(request: HttpRequest, pk: int) -> HttpResponse:
    reader = manager_of(request)
    delete_role(actor=reader.user, role=_asked(reader, pk))
    return redirect("web:people")


def _asked(reader: Viewer, pk: int) -> Role:
    """Return a role of a client's own: the built-in ones have no page."""
    roles = reader.rows(Role).filter(client__isnull=False).select_related("client__subscription")
    return roles.get_or_not_found(pk=pk)


def _show(
    request: HttpRequest,
    reader: Viewer,
    asked: Role,
    form: RoleForm,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {"room": "people", "role": asked, "form": form}
    return render_page(request, "web/role.html", context, reader=reader, status=status)
