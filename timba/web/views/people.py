"""The users and roles of a client: who may sign in, what each may do, how many seats are left."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from timba.accounts.models import Client, Role, User
from timba.accounts.permissions import Permission
from timba.accounts.roles import add_role, change_role, delete_role
from timba.accounts.services import add_user, change_user, delete_user
from timba.accounts.subscriptions import count_seats_taken
from timba.errors import Forbidden
from timba.web.pages import Viewer, get_viewer, render_page, rerender_on_error, signed_in
from timba.web.people_forms import EditPersonForm, NewPersonForm, PasswordForm, RoleForm


@sensitive_post_parameters("password")
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def people_page(request: HttpRequest) -> HttpResponse:
    """List a client's users and roles; a POST adds a user."""
    viewer = _get_user_manager(request)
    client = viewer.client
    if client is None:
        status = HTTPStatus.OK if request.method != "POST" else HTTPStatus.BAD_REQUEST
        context = {"section": "people"}
        return render_page(request, "web/people.html", context, viewer=viewer, status=status)
    if request.method != "POST":
        new_person = (
            NewPersonForm(actor=viewer.user, client=client) if "new" in request.GET else None
        )
        return _render_people(request, viewer, client, new_person=new_person)
    form = NewPersonForm(request.POST, actor=viewer.user, client=client)
    if form.is_valid():
        fields = {**form.cleaned_data, "password": form.cleaned_data["password"] or None}
        add = partial(add_user, actor=viewer.user, client=client, **fields)
        if form.attempt(add, conflict_field="username") is not None:
            return redirect("web:people")
    return _render_people(request, viewer, client, new_person=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a user's form; a POST changes the user."""
    viewer = _get_user_manager(request)
    person, client = _get_person(viewer, pk)
    if request.method != "POST":
        form = EditPersonForm.from_user(person, actor=viewer.user, client=client)
        return _render_person(request, viewer, person, form)
    form = EditPersonForm.from_user(person, request.POST, actor=viewer.user, client=client)
    if form.is_valid():
        change = partial(change_user, actor=viewer.user, user=person, **form.changes)
        conflict_field = "username" if "username" in form.changed_data else None
        if form.attempt(change, conflict_field=conflict_field) is not None:
            return redirect("web:people")
    return _render_person(request, viewer, person, form, status=form.status)


@sensitive_post_parameters("password")
@signed_in
@rerender_on_error(person_page)
def set_password(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a user a new password, which ends all their sessions."""
    viewer = _get_user_manager(request)
    person, client = _get_person(viewer, pk)
    form = PasswordForm(request.POST)
    if form.is_valid():
        change = partial(change_user, actor=viewer.user, user=person, **form.cleaned_data)
        if form.attempt(change) is not None:
            return redirect("web:people")
    person_form = EditPersonForm.from_user(person, actor=viewer.user, client=client)
    return _render_person(request, viewer, person, person_form, password=form, status=form.status)


@signed_in
@rerender_on_error(person_page)
def remove_person(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = _get_user_manager(request)
    person, _ = _get_person(viewer, pk)
    delete_user(actor=viewer.user, user=person)
    return redirect("web:people")


@signed_in
@rerender_on_error(people_page)
def new_role(request: HttpRequest) -> HttpResponse:
    """Add a role to the client."""
    viewer = _get_user_manager(request)
    client = viewer.client
    if client is None:
        return redirect("web:people")
    form = RoleForm(request.POST)
    if form.is_valid():
        add = partial(add_role, actor=viewer.user, client=client, **form.cleaned_data)
        if form.attempt(add, conflict_field="name") is not None:
            return redirect("web:people")
    return _render_people(request, viewer, client, new_role=form, status=form.status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def role_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a role's form; a POST changes the role."""
    viewer = _get_user_manager(request)
    role = _get_role(viewer, pk)
    if request.method != "POST":
        return _render_role(request, viewer, role, RoleForm.from_role(role))
    form = RoleForm.from_role(role, request.POST)
    if form.is_valid():
        change = partial(change_role, actor=viewer.user, role=role, **form.cleaned_data)
        if form.attempt(change, conflict_field="name") is not None:
            return redirect("web:people")
    return _render_role(request, viewer, role, form, status=form.status)


@signed_in
@rerender_on_error(role_page)
def remove_role(request: HttpRequest, pk: int) -> HttpResponse:
    viewer = _get_user_manager(request)
    delete_role(actor=viewer.user, role=_get_role(viewer, pk))
    return redirect("web:people")


def _get_user_manager(request: HttpRequest) -> Viewer:
    """Return the viewer; raise Forbidden if they may not manage users."""
    viewer = get_viewer(request)
    if not viewer.can_manage_users:
        raise Forbidden("Your role does not allow this: an owner of your company can change it.")
    return viewer


def _get_person(viewer: Viewer, pk: int) -> tuple[User, Client]:
    """Return a user and their client; platform staff, who have no client, are not found."""
    users = viewer.rows(User).select_related("client__subscription", "role")
    person = users.filter(client__isnull=False).get_or_not_found(pk=pk)
    assert person.client is not None  # noqa: S101 - the filter above excludes it
    return person, person.client


def _get_role(viewer: Viewer, pk: int) -> Role:
    """Return a role of a client; the built-in roles have no page."""
    roles = viewer.rows(Role).filter(client__isnull=False).select_related("client__subscription")
    return roles.get_or_not_found(pk=pk)


def _render_people(
    request: HttpRequest,
    viewer: Viewer,
    client: Client,
    *,
    new_person: NewPersonForm | None = None,
    new_role: RoleForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    users = viewer.rows(User).filter(client=client).select_related("role")
    context = {
        "section": "people",
        "people": users.order_by("id"),
        "roles": Role.unscoped.assignable_in(client).order_by("id"),
        "permission_labels": dict(Permission.choices),
        "subscription": client.subscription,
        "seats_taken": count_seats_taken(client),
        "new_person": new_person,
        "new_role": new_role or RoleForm(auto_id="role-%s"),
        "is_adding_role": new_role is not None,
    }
    return render_page(request, "web/people.html", context, viewer=viewer, status=status)


def _render_person(
    request: HttpRequest,
    viewer: Viewer,
    person: User,
    form: EditPersonForm,
    *,
    password: PasswordForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {
        "section": "people",
        "person": person,
        "form": form,
        "password": password or PasswordForm(),
    }
    return render_page(request, "web/person.html", context, viewer=viewer, status=status)


def _render_role(
    request: HttpRequest,
    viewer: Viewer,
    role: Role,
    form: RoleForm,
    *,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {"section": "people", "role": role, "form": form}
    return render_page(request, "web/role.html", context, viewer=viewer, status=status)
