"""Signing in and out with a browser, and whose rows platform staff look at."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth import SESSION_KEY, login, logout
from django.contrib.auth.decorators import login_not_required
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timba.accounts.models import MAX_PASSWORD, MAX_USERNAME, Client, Role, User
from timba.accounts.sign_in import check_credentials
from timba.consignments.models import Consignment, Log
from timba.db.text import text_contains
from timba.errors import DomainError, NotSignedIn, TooManyAttempts, Unavailable
from timba.files.models import File
from timba.notes.models import Note
from timba.web.forms import IdField
from timba.web.pages import (
    CLIENT_IN_SESSION,
    CLIENTS_OFFERED,
    Viewer,
    alphabetically,
    next_page,
    render_page,
    rerender_on_error,
    signed_in,
    viewer_of,
)


class SignInForm(forms.Form):
    """What the page sends; text that no account can hold never reaches the check."""

    username = forms.CharField(max_length=MAX_USERNAME)
    password = forms.CharField(max_length=MAX_PASSWORD, strip=False)


class ClientChoice(forms.Form):
    """The client whose rows staff look at; none for all."""

    client_id = IdField()


class ClientsQuery(forms.Form):
    """What narrows the list of clients."""

    q = forms.CharField(required=False, max_length=255)


# Whose row an address names that begins so, and the list where that row stands.
_LISTS: Final[Mapping[str, tuple[type[Model] | None, str]]] = {
    "consignments/": (Consignment, "web:consignments"),
    "files/": (File, "web:files"),
    "logs/": (Log, "web:consignments"),
    "notes/": (Note, "web:notes"),
    "people/": (User, "web:people"),
    "people/roles/": (Role, "web:people"),
    # The number of a city is each client's own.
    "temperatures/": (None, "web:temperatures"),
}
_REFUSALS: dict[type[DomainError], HTTPStatus] = {
    NotSignedIn: HTTPStatus.UNAUTHORIZED,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


@login_not_required
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the sign-in page, or sign in and go on to the page that was asked for."""
    if request.method == "POST":
        return _sign_in(request)
    wanted = request.GET.get("next", "")
    if request.user.is_authenticated and not wanted:
        return redirect(settings.LOGIN_REDIRECT_URL)
    # Whoever is signed in and still sent here needs another account for the page they asked for.
    return render(request, "web/login.html", {"next": wanted})


def _sign_in(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST)
    username = request.POST.get("username", "")
    wanted = request.POST.get("next", "")
    try:
        if not form.is_valid():
            raise NotSignedIn("Type both, the username and the password.")
        user = check_credentials(request, **form.cleaned_data)
    except (NotSignedIn, TooManyAttempts, Unavailable) as refusal:
        context = {"next": wanted, "username": username, "wrong": str(refusal)}
        response = render(request, "web/login.html", context, status=_REFUSALS[type(refusal)])
        if isinstance(refusal, TooManyAttempts | Unavailable):
            response["Retry-After"] = str(refusal.retry_after)
        return response
    if SESSION_KEY in request.session:
        # Otherwise the id stays as it was for whoever signs in anew.
        request.session.cycle_key()
    login(request, user)
    return HttpResponseRedirect(next_page(request, wanted))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@signed_in
@rerender_on_error(lambda _: redirect("web:home"))
def choose_client(request: HttpRequest) -> HttpResponse:
    """Let staff look at one client's rows, or at all of them."""
    choice = ClientChoice(request.POST)
    asked = choice.cleaned_data["client_id"] if choice.is_valid() else None
    chosen = Client.objects.visible_to(request.user).filter(pk=asked or 0).first()
    request.session[CLIENT_IN_SESSION] = chosen.pk if chosen else 0
    wanted = next_page(request, request.POST.get("next", ""))
    return HttpResponseRedirect(_row_or_list(viewer_of(request), wanted))


@signed_in
@require_safe
def clients(request: HttpRequest) -> HttpResponse:
    """Let staff look for a client by name, where a list of all would be too long."""
    reader = viewer_of(request)
    if not reader.user.is_staff:
        return redirect("web:home")
    form = ClientsQuery(request.GET)
    asked = form.cleaned_data["q"] if form.is_valid() else ""
    found = Client.objects.visible_to(reader.user)
    for word in asked.split():
        found = found.filter(text_contains(word, "name"))
    offered = sorted(found[: CLIENTS_OFFERED + 1], key=alphabetically)
    context = {
        "form": form,
        "asked": asked,
        "offered": offered[:CLIENTS_OFFERED],
        "has_more": len(offered) > CLIENTS_OFFERED,
        "next": next_page(request, request.GET.get("next", "")),
    }
    return render_page(request, "web/clients.html", context, reader=reader)


def _row_or_list(reader: Viewer, address: str) -> str:
    """Return the address, or its noun's list where the row that it names is another client's."""
    try:
        asked = resolve(urlsplit(address).path)
    except Resolver404:
        return address
    beginning = asked.route.partition("<")[0]
    if beginning not in _LISTS:
        return address
    model, page = _LISTS[beginning]
    is_shown = model is not None and reader.rows(model).filter(**asked.kwargs).exists()
    return address if is_shown else reverse(page)
