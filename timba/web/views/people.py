"""The people of a client: who may sign in, what each may do, and how many seats are left."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import Permission
from timba.accounts.roles import add_role
from timba.accounts.services import add_user, change_user, delete_user
from timba.accounts.subscriptions import count_seats_taken
from timba.errors import Forbidden
from timba.web.forms import ChangedPersonForm, NewPersonForm, PasswordForm, RoleForm
from timba.web.pages import Viewer, render_page, rerender_on_error, signed_in, viewer_of


def manager_of(request: HttpRequest) -> Viewer:
    """Return the reader, who manages users; raise Forbidden for everyone else."""
    reader = viewer_of(request)
    if not reader.manages_users:
        raise Forbidden("Your role does not allow this: an owner of your company can change it.")
    return reader


@sensitive_post_parameters("password")
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """List a client's users and roles; a POST adds a user."""
    reader = manager_of(request)
    client = reader.client
    if client is None:
        status = HTTPStatus.OK if request.method != "POST" else HTTPStatus.BAD_REQUEST
        return render_page(
            request, "web/people.html", {"room": "people"}, reader=reader, status=status
        )
    if request.method != "POST":
        adding = NewPersonForm(actor=reader.user, client=client) if "new" in request.GET else None
        return show_people(request, reader, client, adding=adding)
    form = NewPersonForm(request.POST, actor=reader.user, client=client)
    if form.is_valid():
        said = form.cleaned_data
        said["password"] = said["password"] or None
        add = partial(add_user, actor=reader.user, client=client, **said)
        if form.attempt(add, clash="username") is not None:
            return redirect("web:people")
    return show_people(request, reader, client, adding=form, status=form.status)


@signed_in
@rerender_on_error(people)
def new_role(request: HttpRequest) -> HttpResponse:
    """Add a role of the client's own."""
    reader = manager_of(request)
    client = reader.client
    if client is None:
        return redirect("web:people")
    form = RoleForm(request.POST)
    if form.is_valid():
        add = partial(add_role, actor=reader.user, client=client, **form.cleaned_data)
        if form.attempt(add, clash="name") is not None:
            return redirect("web:people")
    return show_people(request, reader, client, new_role=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a user's form; a POST changes the user."""
    reader = manager_of(request)
    asked, client = _asked(reader, pk)
    if request.method != "POST":
        form = ChangedPersonForm.of(asked, actor=reader.user, client=client)
        return _show_person(request, reader, asked, form)
    form = ChangedPersonForm.of(asked, request.POST, actor=reader.user, client=client)
    if form.is_valid():
        change = partial(change_user, actor=reader.user, user=asked, **form.changes)
        clash = "username" if "username" in form.changed_data else None
        if form.attempt(change, clash=clash) is not None:
            return redirect("web:people")
    return _show_person(request, reader, asked, form, status=form.status)


@sensitive_post_parameters("password")
@signed_in
@rerender_on_error(person)
def set_password(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a user a new password; all their sign-ins end."""
    reader = manager_of(request)
    asked, client = _asked(reader, pk)
    form = PasswordForm(request.POST)
    if form.is_valid():
        change = partial(change_user, actor=reader.user, user=asked, **form.cleaned_data)
        if form.attempt(change) is not None:
            return redirect("web:people")
    person_form = ChangedPersonForm.of(asked, actor=reader.user, client=client)
    return _show_person(request, reader, asked, person_form, password=form, status=form.status)


@signed_in
@rerender_on_error(person)
def remove_person(request: HttpRequest, pk: int) -> HttpResponse:
    reader = manager_of(request)
    asked, _ = _asked(reader, pk)
    delete_user(actor=reader.user, user=asked)
    return redirect("web:people")


def show_people(
    request: HttpRequest,
    reader: Viewer,
    client: Client,
    *,
    adding: NewPersonForm | None = None,
    new_role: RoleForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Render the list, with a form of it that was refused."""
    users = reader.rows(User).filter(client=client).select_related("role")
    context = {
        "room": "people",
        "people": users.order_by("id"),
        "roles": Role.unscoped.assignable_in(client).order_by("id"),
        "labels": dict(Permission.choices),
        "subscription": client.subscription,
        "seats_taken": count_seats_taken(client),
        "adding": adding,
        "new_role": new_role or RoleForm(auto_id="role-%s"),
        "is_adding_role": new_role is not None,
    }
    return render_page(request, "web/people.html", context, reader=reader, status=status)


def _asked(reader: Viewer, pk: int) -> tuple[User, Client]:
    """Return a client's user, and the client; staff have no place among the people."""
    users = reader.rows(User).select_related("client__subscription", "role")
    found = users.filter(client__isnull=False).get_or_not_found(pk=pk)
    assert found.client is not None  # noqa: S101 - the line above says so
    return found, found.client


def _show_person(
    request: HttpRequest,
    reader: Viewer,
    asked: User,
    form: ChangedPersonForm,
    *,
    password: PasswordForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {
        "room": "people",
        "person": asked,
        "form": form,
        "password": password or PasswordForm(),
    }
    return render_page(request, "web/person.html", context, reader=reader, status=status)
