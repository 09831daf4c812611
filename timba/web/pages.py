"""What every page knows beside its own matter: who reads it, and for which client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
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
from timba.db.text import fold_case
from timba.errors import NotSignedIn
from timba.files.models import File

CLIENT_IN_SESSION = "client_id"
# Beyond these a list of all is no help to anybody: the client is looked for by name.
CLIENTS_OFFERED: Final = 50
M = TypeVar("M", bound=Model)
_FACTS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.PAYMENT_REQUIRED: "The subscription has lapsed",
    HTTPStatus.FORBIDDEN: "This is not allowed",
    HTTPStatus.CONFLICT: "This changed meanwhile",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many attempts",
    HTTPStatus.SERVICE_UNAVAILABLE: "Timba is busy",
}
View = Callable[..., HttpResponse]


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Who reads the page; `client` is the one whose rows are shown, None when staff see all."""

    user: User
    client: Client | None

    @property
    def offered_clients(self) -> list[Client]:
        """The clients that staff choose from on every page; none where they are too many for it."""
        found = list(Client.objects.visible_to(self.user)[: CLIENTS_OFFERED + 1])
        return sorted(found, key=alphabetically) if len(found) <= CLIENTS_OFFERED else []

    @property
    def is_lapsed(self) -> bool:
        client = self.client
        return not self.user.is_staff and client is not None and client.subscription.is_lapsed

    @property
    def manages_users(self) -> bool:
        return Permission.MANAGE_USERS in permissions_of(self.user)

    @property
    def writes_consignments(self) -> bool:
        return Permission.WRITE_CONSIGNMENTS in permissions_of(self.user)

    @property
    def writes_logs(self) -> bool:
        return Permission.WRITE_LOGS in permissions_of(self.user)

    @property
    def writes_files(self) -> bool:
        return Permission.WRITE_FILES in permissions_of(self.user)

    @property
    def writes_notes(self) -> bool:
        return Permission.WRITE_NOTES in permissions_of(self.user)

    @property
    def failures(self) -> int:
        return self.rows(File).filter(status=File.Status.FAILURE).count()

    def rows(self, model: type[M]) -> TenantQuerySet[M]:
        """Return the model's rows that this page may show."""
        rows: TenantQuerySet[M] = model.objects.visible_to(self.user)  # type: ignore[attr-defined]
        return rows.filter(client=self.client) if self.client else rows


def viewer_of(request: HttpRequest) -> Viewer:
    user = cast("User", request.user)
    if not user.is_staff:
        return Viewer(user=user, client=user.client)
    clients = Client.objects.visible_to(user)
    chosen = request.session.get(CLIENT_IN_SESSION)
    if chosen:
        return Viewer(user=user, client=clients.filter(pk=chosen).first())
    # Who has not chosen yet needs not choose where there is but one.
    first = list(clients[:2]) if chosen is None else []
    return Viewer(user=user, client=first[0] if len(first) == 1 else None)


def of_consignment(reader: Viewer, pk: int | None) -> Consignment | None:
    """Return the consignment that a list is narrowed to; None where that names none."""
    return reader.rows(Consignment).filter(pk=pk).first() if pk else None


def alphabetically(client: Client) -> tuple[str, int]:
    """Return what clients are sorted by, here and not by the database: each has an own alphabet."""
    return fold_case(client.name), client.pk


def signed_in(view: View) -> View:
    """Send strangers to sign in first, and then on to the page they asked for."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.htmx:  # type: ignore[attr-defined]
            # A fragment cannot hold the sign-in page: the whole page is asked for again.
            return HttpResponseClientRefresh()
        raise NotSignedIn

    return guarded


def rerender_on_error(page: View) -> Callable[[View], View]:
    """Take what the form of a page sends; whoever reads at that address gets the page itself.

    It stands there when a form was refused, and is then read again: by its reader, who may have had
    to sign in meanwhile, and by its script, which follows no redirects.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        @require_http_methods(["GET", "HEAD", "POST"])
        def taken(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return (view if request.method == "POST" else page)(request, *args, **kwargs)

        return taken

    return decorate


def next_page(request: HttpRequest, wanted: str, *, otherwise: str = "") -> str:
    """Return where to go on: only ever to a page of this house."""
    if url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return otherwise or settings.LOGIN_REDIRECT_URL


def show_refusal(*, status: HTTPStatus, advice: str) -> HttpResponse:
    """Say on a page of its own why there is no page, or why a form did not do what it should."""
    fact = _FACTS.get(status, "This did not go through")
    return render_error("web/error.html", status=status, fact=fact, advice=advice)


def render_error(template: str, *, status: int, **said: str) -> HttpResponse:
    """Render a page that says what is wrong, and needs nothing that may be what is wrong.

    Neither a database nor a session, a user, a context processor or collected static files.
    """
    try:
        stylesheet = static("timba/timba.css")
    except ValueError:  # they were not collected
        stylesheet = ""
    context = {**said, "stylesheet": stylesheet}
    return HttpResponse(render_to_string(template, context), status=status)


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    reader: Viewer,
    status: int = 200,
) -> HttpResponse:
    """Render a page inside the shell; no one sees it again who goes back after signing out."""
    response = render(request, template, {**context, "reader": reader}, status=status)
    add_never_cache_headers(response)
    return response
