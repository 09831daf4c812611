"""Middleware of Django and of packages, with a short way for requests that need little of it.

The call of a program needs no session, no messages and no htmx.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

import structlog
from corsheaders.middleware import CorsMiddleware as FullCorsMiddleware
from csp.constants import HEADER
from csp.middleware import CSPMiddleware as FullCSPMiddleware
from csp.utils import build_policy
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django_htmx import middleware as htmx
from django_structlog.middlewares import RequestMiddleware

_API_PATHS = ("/api/", "/timba/", "/temperature-readings/")
# These have a page for browsers too.
_PAGES = frozenset({"/api/", "/api/docs", "/api/docs/"})
_request_log = logging.getLogger("django_structlog")


def is_from_program(request: HttpRequest) -> bool:
    """Whether a program calls the API with an access token, or checks the health."""
    is_it = request.__dict__.get("_is_from_program")
    if is_it is None:
        meta, path = request.META, request.path_info
        is_it = request.__dict__["_is_from_program"] = (
            path.startswith(_API_PATHS)
            and path not in _PAGES
            and meta.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer "
            and "text/" not in meta.get("HTTP_ACCEPT", "").lower()
        ) or path.startswith("/health/")
    return bool(is_it)


class _ForBrowsers:
    """Makes a middleware pass on the calls of programs."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if is_from_program(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class SessionMiddleware(_ForBrowsers, sessions.SessionMiddleware):
    """Sessions of browsers."""


class AuthenticationMiddleware(_ForBrowsers, auth.AuthenticationMiddleware):
    """Users of browsers; the views of the API authenticate programs."""


class MessageMiddleware(_ForBrowsers, messages.MessageMiddleware):
    """Messages to users of browsers."""


class HtmxMiddleware(_ForBrowsers, htmx.HtmxMiddleware):
    """What htmx sent with a request."""


class CorsMiddleware(FullCorsMiddleware):
    """The headers for scripts of other origins, whose requests carry an `Origin`.

    `CacheHeadersMiddleware` sets `Vary: origin` in every response.
    """

    def __call__(self, request: HttpRequest) -> Any:
        if "HTTP_ORIGIN" in request.META:
            return super().__call__(request)
        return self.get_response(request)


class CSPMiddleware(FullCSPMiddleware):
    """The content security policy, built once for all responses that do not change it."""

    @cached_property
    def _policy(self) -> str:
        policy: str = build_policy()
        return policy

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if "_csp_nonce" in request.__dict__ or any(
            name.startswith("_csp") for name in response.__dict__
        ):
            changed: HttpResponseBase = super().process_response(request, response)
            return changed
        response.headers.setdefault(HEADER, self._policy)
        return response


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's: the id and the address in each log line, and lines for each request.

    The lines of good requests are prepared only where their level is logged.
    """

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=request.META["REMOTE_ADDR"])

    def prepare(self, request: HttpRequest) -> None:
        if _request_log.isEnabledFor(logging.INFO):
            super().prepare(request)
        else:
            structlog.contextvars.bind_contextvars(
                request_id=request.META["HTTP_X_REQUEST_ID"], ip=request.META["REMOTE_ADDR"]
            )

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        is_quiet = response.status_code < 500 and not _request_log.isEnabledFor(logging.INFO)
        if is_quiet and not response.streaming and not hasattr(request, "_raised_exception"):
            structlog.contextvars.clear_contextvars()
        else:
            super().handle_response(request, response)
