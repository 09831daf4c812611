"""The staff's own site under `/admin/`: who enters, under which policy, and which nouns it has."""

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
from timba.web.admin.base import NounAdmin
from timba.web.admin.evidence import CityAdmin, FileAdmin, NoteAdmin
from timba.web.admin.history import EventAdmin
from timba.web.admin.people import ClientAdmin, RoleAdmin, SubscriptionAdmin, UserAdmin
from timba.web.admin.timber import ConsignmentAdmin, LogAdmin

View = Callable[..., HttpResponseBase]
# See docs/adr/0009: what runs here was made for it, and only staff are ever sent it.
_POLICY: Final = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src-elem": [SELF],
    "style-src-attr": [UNSAFE_INLINE],
}
_NOUNS: Final[dict[type[Any], type[NounAdmin]]] = {
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
    """The pages of the platform's staff."""

    empty_value_display = "–"
    index_title = "Everything of every client"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.can_sign_in and user.is_staff

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        guarded: View = super().admin_view(_well_formed(csp_update(_POLICY)(view)), cacheable)
        return guarded

    def extra_context(self, context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:  # noqa: ARG002
        """Keep the colours out of the page: they are in the style sheet."""
        return {**context, "colors": None}

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Find nouns by their names: there are never so many that it takes a second page."""
        if "page" in request.GET:
            raise Http404
        found: HttpResponse = super().search(request, extra_context)
        return found

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """One's own password is changed where everyone changes it, by the same rules."""
        return redirect("web:account")

    def catch_all_view(self, request: HttpRequest, url: str) -> HttpResponseBase:
        """Answer without the final slash too, as every door does: see `timba.urls`."""
        try:
            match = resolve(f"{request.path_info}/")
        except Resolver404:
            raise Http404 from None
        if url.endswith("/") or match.func.__name__ == "catch_all_view":
            raise Http404
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response


def _well_formed(view: View) -> View:
    """Refuse what no column can hold: pages made of filters put the query straight into SQL."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise SuspiciousOperation("There is a NUL in the query.")
        try:
            return view(request, *args, **kwargs)
        except (OverflowError, DataError) as failure:
            raise SuspiciousOperation("A number is too large for its column.") from failure

    return wrapped


def _staff_site() -> StaffSite:
    made = StaffSite()
    for noun, pages in _NOUNS.items():
        made.register(noun, pages)
    return made


staff_site = _staff_site()
