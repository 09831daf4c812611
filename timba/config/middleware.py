"""What every request carries whichever door it takes: its id and its caller's true address."""

from __future__ import annotations

import io
import re
import sys
import uuid
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRefresh
from whitenoise.middleware import WhiteNoiseFileResponse

from timba.accounts.addresses import (
    address_group,
    caller_of,
    is_within,
    parse_networks,
)
from timba.api.problems import prefers_html, problem
from timba.config.error_views import refuse
from timba.db.outages import database_errors
from timba.errors import NotSignedIn
from timba.runtime.wsgi_adapter import REFUSAL
from timba.web.pages import render_error

Next = Callable[[HttpRequest], HttpResponse]
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Give each request an id, the caller's where it is well formed, and answer with it."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _GOOD_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        # django-structlog reads the header; it binds the id to every log line of this request.
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class CachingMiddleware:
    """Say who may keep an answer: its caller alone, and only where an ETag tells it from others.

    Static files, whose names change with what they hold, are WhiteNoise's to speak for.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, WhiteNoiseFileResponse):
            patch_vary_headers(response, ("Accept", "Authorization", "Cookie"))
            kept = "private, no-cache" if response.has_header("ETag") else "no-store"
            response.headers.setdefault("Cache-Control", kept)
        return response


class UnmeasuredBodyMiddleware:
    """Let a body be read to its end that comes without a Content-Length, as a chunked one may.

    Django would take it for empty. Where its server says that the body ends by itself, it is read
    until it does; what limits its size is who reads it.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        if meta.get("wsgi.input_terminated") and not meta.get("CONTENT_LENGTH"):
            body = io.BufferedReader(_WSGIInput(meta["wsgi.input"]), buffer_size=1)
            if body.peek():
                request._stream = body  # noqa: SLF001 - Django's own
                # Where Content-Length is absent, Django and DRF ask this whether there is a body.
                meta.pop("CONTENT_LENGTH", None)
                meta["HTTP_CONTENT_LENGTH"] = str(sys.maxsize)
        return self.get_response(request)


class _WSGIInput(io.RawIOBase):
    """A server's `wsgi.input`, of which no more is known than that it can be read."""

    def __init__(self, source: Any) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class WellFormedMiddleware:
    """Refuse NUL in a header, where a server has let it through: PostgreSQL stores none."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any("\0" in value for value in request.headers.values()):
            return problem(HTTPStatus.BAD_REQUEST, "The request is malformed.")
        return self.get_response(request)


class RefusalMiddleware:
    """Translate what plain Django views refuse, as DRF's exception handler does for its own.

    The server's refusals too: of a body that came too slowly no view sees anything.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refusal = request.META.get(REFUSAL)
        response = self.process_exception(request, refusal) if refusal else None
        response = response or self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        if prefers_html(request):
            answer = render_error("405.html", status=response.status_code)
        else:
            sentence = f"This address does not take {request.method}."
            answer = problem(response.status_code, sentence)
        answer["Allow"] = response["Allow"]
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return refuse(request, error)


class SignInBeforeFormMiddleware:
    """Send strangers to sign in before the form that they send is read.

    Views exempt from the check for CSRF authenticate by themselves, before they read a body.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],  # noqa: ARG002 - Django's signature
        kwargs: dict[str, Any],  # noqa: ARG002 - Django's signature
    ) -> HttpResponse | None:
        reads_no_form = request.method != "POST" or getattr(view, "csrf_exempt", False)
        is_public = not getattr(view, "login_required", True)
        if reads_no_form or is_public:
            return None
        try:
            if request.user.is_authenticated:
                return None
        except database_errors() as error:
            return refuse(request, error)  # where it is no outage, the view meets it again
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRefresh()
        return refuse(request, NotSignedIn())


class CallerAddressMiddleware:
    """Believe forwarding headers only from the proxies in `TIMBA_TRUSTED_PROXIES`."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        trusted = _networks(tuple(settings.TIMBA_TRUSTED_PROXIES))
        forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "")
        request.META["REMOTE_ADDR"] = caller_of(peer, forwarded_for, trusted)
        if is_within(peer, trusted) and request.META.get("HTTP_X_FORWARDED_PROTO") == "https":
            request.META["wsgi.url_scheme"] = "https"
            request.environ["wsgi.url_scheme"] = "https"  # type: ignore[attr-defined]
        return self.get_response(request)


def caller_address(request: HttpRequest) -> str:
    """Return what sign-in guards count a caller's attempts for."""
    return address_group(str(request.META.get("REMOTE_ADDR", "")))


_networks = cache(parse_networks)
