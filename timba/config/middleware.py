"""Middleware for every request: its id, its caller's address, its body, errors, cache headers."""

from __future__ import annotations

import io
import re
import sys
import time
import uuid
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRefresh
from prometheus_client import Counter, Histogram
from whitenoise.middleware import WhiteNoiseFileResponse

from timba.accounts.addresses import (
    address_group,
    is_within,
    parse_networks,
    resolve_caller_address,
)
from timba.api.problems import prefers_html, problem
from timba.config.error_views import error_response
from timba.db.errors import database_errors
from timba.errors import NotSignedIn
from timba.metrics import REQUEST_SECONDS, REQUESTS
from timba.runtime.wsgi_adapter import BODY_ERROR
from timba.web.pages import render_error

GetResponse = Callable[[HttpRequest], HttpResponse]
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_parse_networks = cache(parse_networks)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Static files, and paths of which there is no endpoint.
_NO_ENDPOINT = "other"
# How the names of headers start in a WSGI environ.
_HEADERS = ("HTTP_", "CONTENT_")


class RequestIdMiddleware:
    """Set `X-Request-ID` on request and response: the caller's id if valid, else a new one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _VALID_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        # django-structlog reads the header and binds the id to every log line of this request.
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class MetricsMiddleware:
    """Count the request and its seconds by the URL pattern that it matched."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        response = self.get_response(request)
        match = request.resolver_match
        endpoint = f"/{match.route}" if match else _NO_ENDPOINT
        method = str(request.method) if request.method in _METHODS else "other"
        _requests(endpoint, method, response.status_code // 100).inc()
        _seconds(endpoint).observe(time.monotonic() - started)
        return response


# The metrics of each combination of labels: looking them up takes as long as counting.
@cache
def _requests(endpoint: str, method: str, status_class: int) -> Counter:
    return REQUESTS.labels(endpoint, method, f"{status_class}xx")


@cache
def _seconds(endpoint: str) -> Histogram:
    return REQUEST_SECONDS.labels(endpoint)


class HealthHostMiddleware:
    """Accept any host, or none, in health checks: probes use addresses, and the views no host."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/health/"):
            request.META["HTTP_HOST"] = "localhost"  # which is always allowed
        return self.get_response(request)


class CacheHeadersMiddleware:
    """Set `Cache-Control` and `Vary`: only the caller may cache a response, and only with an ETag.

    WhiteNoise sets the headers of static files, whose names change with their content.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not isinstance(response, WhiteNoiseFileResponse):
            response.headers["Vary"] = _vary(response.headers.get("Vary", ""))
            policy = "private, no-cache" if response.has_header("ETag") else "no-store"
            response.headers.setdefault("Cache-Control", policy)
        return response


@cache
def _vary(by_view: str) -> str:
    """Return the `Vary` of every response and of one view; there are few different ones."""
    names = HttpResponse(headers={"Vary": by_view} if by_view else {})
    patch_vary_headers(names, ("Origin", "Accept", "Authorization", "Cookie"))
    return names.headers["Vary"]


class ChunkedBodyMiddleware:
    """Make bodies without a Content-Length readable, as a chunked one may be.

    Django would treat such a body as empty. If the server sets `wsgi.input_terminated`, the body is
    read until its end; its readers limit its size.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        if meta.get("wsgi.input_terminated") and not meta.get("CONTENT_LENGTH"):
            body = io.BufferedReader(_WSGIInput(meta["wsgi.input"]), buffer_size=1)
            if body.peek():
                request._stream = body  # noqa: SLF001 - Django has no public attribute
                # Without CONTENT_LENGTH, Django and DRF read this to know whether there is a body.
                meta.pop("CONTENT_LENGTH", None)
                meta["HTTP_CONTENT_LENGTH"] = str(sys.maxsize)
        return self.get_response(request)


class _WSGIInput(io.RawIOBase):
    """A raw stream over `wsgi.input`, which PEP 3333 only guarantees to have `read`."""

    def __init__(self, source: Any) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        chunk = self._source.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


class HeaderValidationMiddleware:
    """Reject NUL in headers, which some servers let through and PostgreSQL cannot store."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Not `request.headers`, which would be built for this alone.
        if any("\0" in value for name, value in request.META.items() if name.startswith(_HEADERS)):
            return problem(HTTPStatus.BAD_REQUEST, "The request is malformed.")
        return self.get_response(request)


class DomainErrorMiddleware:
    """Convert errors of plain Django views to responses, as DRF's exception handler does.

    Also converts errors that the server found while it read the body, before any view was called.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        body_error = request.META.get(BODY_ERROR)
        response = self.process_exception(request, body_error) if body_error else None
        response = response or self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        if prefers_html(request):
            refusal = render_error("405.html", status=response.status_code)
        else:
            sentence = f"This address does not take {request.method}."
            refusal = problem(response.status_code, sentence)
        refusal["Allow"] = response["Allow"]
        return refusal

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return error_response(request, error)


class LoginBeforeBodyMiddleware:
    """Require a login before a form is read.

    Views that are exempt from the CSRF check authenticate by themselves, before they read a body.
    """

    def __init__(self, get_response: GetResponse) -> None:
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
            # None for a failure that is no outage, which the view will raise again.
            return error_response(request, error)
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRefresh()
        return error_response(request, NotSignedIn())


class ForwardedHeadersMiddleware:
    """Apply `X-Forwarded-For` and `-Proto` only from the proxies in `TIMBA_TRUSTED_PROXIES`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        trusted = _parse_networks(tuple(settings.TIMBA_TRUSTED_PROXIES))
        forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "")
        request.META["REMOTE_ADDR"] = resolve_caller_address(peer, forwarded_for, trusted)
        if is_within(peer, trusted) and request.META.get("HTTP_X_FORWARDED_PROTO") == "https":
            request.META["wsgi.url_scheme"] = "https"
            request.environ["wsgi.url_scheme"] = "https"  # type: ignore[attr-defined]
        return self.get_response(request)


def rate_limit_address(request: HttpRequest) -> str:
    """Return the address or network for which django-axes counts attempts."""
    return address_group(str(request.META.get("REMOTE_ADDR", "")))
