"""The admin site under `/admin/`: who may enter, its content security policy, its models."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.core.exceptions import SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from unfold.sites import UnfoldAdminSite

from timba.accounts.models import Client, Role, Subscription, User
from timba.consignments.models import Consignment, Log
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.notes.models import Note
from timba.places.models import City
from timba.web.admin.accounts import ClientAdmin, RoleAdmin, SubscriptionAdmin, UserAdmin
from timba.web.admin.base import ServiceModelAdmin
from timba.web.admin.consignments import ConsignmentAdmin, LogAdmin
from timba.web.admin.events import EventAdmin
from timba.web.admin.files import CityAdmin, FileAdmin, NoteAdmin

View = Callable[..., HttpResponseBase]
# docs/adr/0009 says why this policy is wider than that of the other pages.
_CSP: Final = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src-elem": [SELF],
    "style-src-attr": [UNSAFE_INLINE],
}
_ADMIN_CLASSES: Final[dict[type[Any], type[ServiceModelAdmin]]] = {
    Client: ClientAdmin,
    Subscription: SubscriptionAdmin,
    User: UserAdmin,
    Role: RoleAdmin,
    Consignment: ConsignmentAdmin,
    Log: LogAdmin,
    File: FileAdmin,
    Note: NoteAdmin,
    City: CityAdmin,
    OutboxEvent: EventAdmin,
}


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]  # django-unfold is not typed
    """The admin site of platform staff."""

    empty_value_display = "–"
    index_title = "Everything of every client"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.can_sign_in and user.is_staff

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        guarded: View = super().admin_view(
            _reject_unstorable_values(csp_update(_CSP)(view)), cacheable
        )
        return guarded

    def extra_context(self, context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:  # noqa: ARG002
        """Remove unfold's inline colours, which the style sheet has instead."""
        return {**context, "colors": None}

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Search the names of the models; their list is too short for a second page."""
        if "page" in request.GET:
            raise Http404
        response: HttpResponse = super().search(request, extra_context)
        return response

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Redirect to the account page, where all users change their password."""
        return redirect("web:account")

    def catch_all_view(self, request: HttpRequest, url: str) -> HttpResponseBase:
        """Accept addresses without the final slash, as all views do: see `timba.urls`."""
        try:
            match = resolve(f"{request.path_info}/")
        except Resolver404:
            raise Http404 from None
        if url.endswith("/") or match.func.__name__ == "catch_all_view":
            raise Http404
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response


def _reject_unstorable_values(view: View) -> View:
    """Answer 400 to query values that no column can hold: Django's filters pass them to SQL."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise SuspiciousOperation("There is a NUL in the query.")
        try:
            return view(request, *args, **kwargs)
        except (OverflowError, DataError) as error:
            raise SuspiciousOperation("A number is too large for its column.") from error

    return wrapped


def _build_site() -> StaffSite:
    site = StaffSite()
    for model, admin_class in _ADMIN_CLASSES.items():
        site.register(model, admin_class)
    return site


staff_site = _build_site()
