"""What all pages share: the signed-in user, the selected client, pagination, errors, rendering."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRefresh

from timba.accounts.authorization import permissions_of
from timba.accounts.models import Client, User
from timba.accounts.permissions import Permission
from timba.accounts.tenancy import TenantQuerySet
from timba.consignments.models import Consignment
from timba.db.pagination import NEWEST_FIRST, Page, paginate
from timba.db.text import fold_case
from timba.errors import Invalid, NotSignedIn
from timba.files.models import File
from timba.places.models import City

CLIENT_IN_SESSION = "client_id"
# With more clients than this the menu shows a search box instead of a list.
MAX_LISTED_CLIENTS: Final = 50
MAX_LISTED_CITIES: Final = 200
# Rows on a page that a live update asks for, including those that "Show more" has appended.
MAX_LIMIT: Final = 500
_NUMBER: Final = re.compile("[0-9]{1,6}")
M = TypeVar("M", bound=Model)
T = TypeVar("T")
_ERROR_TITLES: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.PAYMENT_REQUIRED: "The subscription does not allow this",
    HTTPStatus.FORBIDDEN: "This is not allowed",
    HTTPStatus.CONFLICT: "This changed meanwhile",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many attempts",
    HTTPStatus.SERVICE_UNAVAILABLE: "Timba is busy",
}
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """The signed-in user, and the client whose rows the page shows; None when staff see all."""

    user: User
    client: Client | None

    @property
    def listed_clients(self) -> list[Client]:
        """The clients in the menu of staff, by name; empty when there are too many to list."""
        clients = list(Client.objects.visible_to(self.user)[: MAX_LISTED_CLIENTS + 1])
        return sorted(clients, key=client_sort_key) if len(clients) <= MAX_LISTED_CLIENTS else []

    @property
    def is_lapsed(self) -> bool:
        client = self.client
        return not self.user.is_staff and client is not None and client.subscription.is_lapsed

    @property
    def can_manage_users(self) -> bool:
        return Permission.MANAGE_USERS in permissions_of(self.user)

    @property
    def can_write_consignments(self) -> bool:
        return Permission.WRITE_CONSIGNMENTS in permissions_of(self.user)

    @property
    def can_write_logs(self) -> bool:
        return Permission.WRITE_LOGS in permissions_of(self.user)

    @property
    def can_write_files(self) -> bool:
        return Permission.WRITE_FILES in permissions_of(self.user)

    @property
    def can_write_notes(self) -> bool:
        return Permission.WRITE_NOTES in permissions_of(self.user)

    @property
    def failure_count(self) -> int:
        return self.rows(File).filter(status=File.Status.FAILURE).count()

    def rows(self, model: type[M]) -> TenantQuerySet[M]:
        """Return the rows of `model` that the page may show."""
        rows: TenantQuerySet[M] = model.objects.visible_to(self.user)  # type: ignore[attr-defined]
        return rows.filter(client=self.client) if self.client else rows


def get_viewer(request: HttpRequest) -> Viewer:
    """Return the signed-in user with the client chosen in the session, or the user's own."""
    user = cast("User", request.user)
    if not user.is_staff:
        return Viewer(user=user, client=user.client)
    clients = Client.objects.visible_to(user)
    client_id = request.session.get(CLIENT_IN_SESSION)
    if client_id:
        return Viewer(user=user, client=clients.filter(pk=client_id).first())
    # Before staff have chosen (None, not 0), a client that is the only one is selected.
    first_two = list(clients[:2]) if client_id is None else []
    return Viewer(user=user, client=first_two[0] if len(first_two) == 1 else None)


def find_consignment(viewer: Viewer, pk: int | None) -> Consignment | None:
    """Return the consignment that a list is filtered by; None if there is none with that id."""
    return viewer.rows(Consignment).filter(pk=pk).first() if pk else None


def list_cities(viewer: Viewer, client_id: int) -> list[City]:
    """Return the first of a client's named cities, which a field for a city's number offers."""
    cities = viewer.rows(City).filter(client_id=client_id)
    return list(cities.order_by("number")[:MAX_LISTED_CITIES])


def get_page(
    request: HttpRequest,
    rows: QuerySet[M, T],
    *,
    limit: int,
    order: tuple[str, ...] = NEWEST_FIRST,
) -> Page[T]:
    """Return the page at `?cursor=`, with `limit` rows or as many more as `?limit=` asks for.

    Raises BadRequest where one of them is invalid.
    """
    try:
        return paginate(
            rows,
            order=order,
            limit=requested_limit(request, limit),
            cursor=request.GET.get("cursor"),
        )
    except Invalid as error:
        raise BadRequest from error


def requested_limit(request: HttpRequest, limit: int) -> int:
    """Return the number of rows of a page, or as many more as `?limit=` asks for.

    Raises BadRequest where it is invalid.
    """
    requested = request.GET.get("limit", str(limit))
    if not _NUMBER.fullmatch(requested):
        raise BadRequest
    return max(limit, min(int(requested), MAX_LIMIT))


def client_sort_key(client: Client) -> tuple[str, int]:
    """Sort clients by name in Python: the collations of the three databases differ."""
    return fold_case(client.name), client.pk


def signed_in(view: View) -> View:
    """Redirect anonymous users to the sign-in page, and from there back to the requested page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.htmx:  # type: ignore[attr-defined]
            # A fragment cannot hold the sign-in page: htmx reloads the whole page.
            return HttpResponseClientRefresh()
        raise NotSignedIn

    return guarded


def rerender_on_error(page: View) -> Callable[[View], View]:
    """Handle POST with the decorated view, and GET with `page`, the page that holds the form.

    After a rejected POST the browser stays at the form's address. It requests that address again
    when the user signs in anew, and for live updates, which follow no redirects.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        @require_http_methods(["GET", "HEAD", "POST"])
        def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return (view if request.method == "POST" else page)(request, *args, **kwargs)

        return dispatch

    return decorate


def safe_next_url(request: HttpRequest, url: str, *, default: str = "") -> str:
    """Return `url` if it leads to this host, else `default` or the first page."""
    if url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return url
    return default or settings.LOGIN_REDIRECT_URL


def render_refusal(*, status: HTTPStatus, advice: str) -> HttpResponse:
    """Render the error page for an expected error; `advice` is the error's sentence."""
    title = _ERROR_TITLES.get(status, "This did not go through")
    return render_error("web/error.html", status=status, title=title, advice=advice)


def render_error(template: str, *, status: int, **context: str) -> HttpResponse:
    """Render an error page that depends on nothing that may itself have failed.

    It needs no database, session, user, context processor or collected static files.
    """
    try:
        stylesheet = static("timba/timba.css")
    except ValueError:  # the static files were not collected
        stylesheet = ""
    html = render_to_string(template, {**context, "stylesheet": stylesheet})
    return HttpResponse(html, status=status)


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    viewer: Viewer,
    status: int = 200,
) -> HttpResponse:
    """Render a page with its menu, uncached: after signing out, Back does not show it again."""
    response = render(request, template, {**context, "viewer": viewer}, status=status)
    add_never_cache_headers(response)
    return response
