"""Sign-in and sign-out, one's own account and company, and the client whose rows staff see."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import SESSION_KEY, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timba.accounts.models import Client, Role, User
from timba.accounts.services import change_client, change_user
from timba.accounts.sign_in import check_credentials
from timba.accounts.time_zones import time_zone_names
from timba.consignments.models import Consignment, Log
from timba.db.text import text_contains
from timba.errors import DomainError, NotSignedIn, TooManyAttempts, Unavailable
from timba.files.models import File
from timba.notes.models import Note
from timba.web.pages import (
    CLIENT_IN_SESSION,
    MAX_LISTED_CLIENTS,
    Viewer,
    client_sort_key,
    get_viewer,
    render_page,
    rerender_on_error,
    safe_next_url,
    signed_in,
)
from timba.web.people_forms import (
    ClientChoice,
    ClientsQuery,
    CompanyForm,
    OwnAccountForm,
    OwnPasswordForm,
    SignInForm,
)

# The model whose row a route names, by the fixed start of the route, and the list of such rows.
_LIST_PAGES: Final[Mapping[str, tuple[type[Model] | None, str]]] = {
    "consignments/": (Consignment, "web:consignments"),
    "files/": (File, "web:files"),
    "logs/": (Log, "web:consignments"),
    "notes/": (Note, "web:notes"),
    "people/": (User, "web:people"),
    "people/roles/": (Role, "web:people"),
    # Another client's city may have the same number.
    "temperatures/": (None, "web:temperatures"),
}
_SIGN_IN_ERRORS: Final[Mapping[type[DomainError], HTTPStatus]] = {
    NotSignedIn: HTTPStatus.UNAUTHORIZED,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


@login_not_required
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the sign-in page; a POST signs in and redirects to the requested page."""
    if request.method == "POST":
        return _sign_in(request)
    next_url = request.GET.get("next", "")
    if request.user.is_authenticated and not next_url:
        return redirect(settings.LOGIN_REDIRECT_URL)
    # A user who is signed in already needs another account for the requested page.
    return render(request, "web/login.html", {"next": next_url})


def _sign_in(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST)
    username = request.POST.get("username", "")
    next_url = request.POST.get("next", "")
    try:
        if not form.is_valid():
            raise NotSignedIn("Type both, the username and the password.")
        user = check_credentials(request, **form.cleaned_data)
    except (NotSignedIn, TooManyAttempts, Unavailable) as error:
        context = {"next": next_url, "username": username, "error": str(error)}
        response = render(request, "web/login.html", context, status=_SIGN_IN_ERRORS[type(error)])
        if isinstance(error, TooManyAttempts | Unavailable):
            response["Retry-After"] = str(error.retry_after)
        return response
    if SESSION_KEY in request.session:
        # `login` keeps the session key when the same user signs in again.
        request.session.cycle_key()
    login(request, user)
    return HttpResponseRedirect(safe_next_url(request, next_url))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account_page(request: HttpRequest) -> HttpResponse:
    """Show the form of one's own account; a POST changes the account."""
    viewer = get_viewer(request)
    form = _own_account_form(request, viewer)
    if request.method != "POST":
        return _render_account(request, viewer, form)
    change = partial(change_user, actor=viewer.user, user=viewer.user)
    if form.is_valid() and form.attempt(partial(change, **form.changes)) is not None:
        return redirect("web:account")
    return _render_account(request, viewer, form, status=form.status)


@sensitive_post_parameters()
@signed_in
@rerender_on_error(account_page)
def change_own_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; it ends all other sessions and keeps this one."""
    viewer = get_viewer(request)
    form = OwnPasswordForm(request.POST)
    if form.is_valid():
        change = partial(change_user, actor=viewer.user, user=viewer.user, **form.cleaned_data)
        user = form.attempt(change)
        if user is not None:
            update_session_auth_hash(request, user)
            return redirect("web:account")
    account_form = _own_account_form(request, viewer)
    return _render_account(request, viewer, account_form, password=form, status=form.status)


@signed_in
@rerender_on_error(account_page)
def change_company(request: HttpRequest) -> HttpResponse:
    """Change the user's company, or the one that staff have chosen."""
    viewer = get_viewer(request)
    if viewer.client is None:
        return redirect("web:account")
    form = CompanyForm.from_client(viewer.client, request.POST)
    if form.is_valid():
        change = partial(change_client, actor=viewer.user, client=viewer.client, **form.changes)
        if form.attempt(change) is not None:
            return redirect(reverse("web:account") + "#company")
    account_form = _own_account_form(request, viewer)
    return _render_account(request, viewer, account_form, company=form, status=form.status)


@signed_in
@rerender_on_error(lambda _: redirect("web:home"))
def choose_client(request: HttpRequest) -> HttpResponse:
    """Select the client whose rows staff see, or all clients."""
    form = ClientChoice(request.POST)
    client_id = form.cleaned_data["client_id"] if form.is_valid() else None
    client = Client.objects.visible_to(request.user).filter(pk=client_id or 0).first()
    request.session[CLIENT_IN_SESSION] = client.pk if client else 0
    next_url = safe_next_url(request, request.POST.get("next", ""))
    return HttpResponseRedirect(_url_or_list(get_viewer(request), next_url))


@signed_in
@require_safe
def clients_page(request: HttpRequest) -> HttpResponse:
    """Let staff search for a client by name when the menu does not list all of them."""
    viewer = get_viewer(request)
    if not viewer.user.is_staff:
        return redirect("web:home")
    form = ClientsQuery(request.GET)
    query = form.cleaned_data["q"] if form.is_valid() else ""
    rows = Client.objects.visible_to(viewer.user)
    for word in query.split():
        rows = rows.filter(text_contains(word, "name"))
    clients = sorted(rows[: MAX_LISTED_CLIENTS + 1], key=client_sort_key)
    context = {
        "form": form,
        "clients": clients[:MAX_LISTED_CLIENTS],
        "has_more": len(clients) > MAX_LISTED_CLIENTS,
        "next": safe_next_url(request, request.GET.get("next", "")),
    }
    return render_page(request, "web/clients.html", context, viewer=viewer)


def _own_account_form(request: HttpRequest, viewer: Viewer) -> OwnAccountForm:
    user = viewer.user
    initial = {"name": user.name, "contact": user.contact, "address": user.address}
    is_submitted = request.method == "POST" and request.path == reverse("web:account")
    return OwnAccountForm(request.POST if is_submitted else None, initial=initial)


def _render_account(
    request: HttpRequest,
    viewer: Viewer,
    form: OwnAccountForm,
    *,
    password: OwnPasswordForm | None = None,
    company: CompanyForm | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context: dict[str, Any] = {
        "section": "account",
        "form": form,
        "password": password or OwnPasswordForm(),
    }
    if viewer.client is not None and viewer.can_manage_users:
        context["company"] = company or CompanyForm.from_client(viewer.client)
        context["time_zones"] = sorted(time_zone_names())
    return render_page(request, "web/account.html", context, viewer=viewer, status=status)


def _url_or_list(viewer: Viewer, url: str) -> str:
    """Return `url`, or the list of its noun if it names a row that the viewer does not see."""
    try:
        match = resolve(urlsplit(url).path)
    except Resolver404:
        return url
    prefix = match.route.partition("<")[0]
    if prefix not in _LIST_PAGES:
        return url
    model, list_page = _LIST_PAGES[prefix]
    is_visible = model is not None and viewer.rows(model).filter(**match.kwargs).exists()
    return url if is_visible else reverse(list_page)
