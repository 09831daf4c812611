"""The ASGI application that Timba's web server runs: `granian --interface asgi timba.config.asgi`.

`timba.config.wsgi` is the same application for WSGI servers, which need a buffering proxy.
"""

from __future__ import annotations

import os
import resource
from typing import Any, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from timba.accounts.addresses import address_group, parse_networks, resolve_caller_address
from timba.runtime.wsgi_adapter import WSGIAdapter

# Twice the connections that granian accepts (`runtime/processes.py`), because a request may also
# need an open file or a database connection.
_OPEN_FILES: Final = 4096
# The views that read a body before they authenticate the caller.
_PUBLIC_PATHS: Final = frozenset(
    {
        "/api/token",
        "/api/token/refresh",
        "/api/token/revoke",
        "/login",
        "/admin/login",
        "/timba/client",
        "/api/clients",
    }
)


def _is_public(environ: dict[str, Any]) -> bool:
    return environ["PATH_INFO"].rstrip("/") in _PUBLIC_PATHS


def _keeps_beginnings(environ: dict[str, Any]) -> bool:
    """Whether it is a part of a resumable upload, which goes on where the body broke off."""
    path: str = environ["PATH_INFO"]
    return path.startswith("/api/files/tus/")


def _address(environ: dict[str, Any]) -> str:
    """Return the address for which a request's slots are counted."""
    forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
    return address_group(resolve_caller_address(environ["REMOTE_ADDR"], forwarded_for, _trusted))


def _raise_open_files_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        limit = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")
_raise_open_files_limit()
_trusted = parse_networks(settings.TIMBA_TRUSTED_PROXIES)
application = WSGIAdapter(
    get_wsgi_application(),
    threads=settings.TIMBA_WEB_THREADS,
    address_of=_address,
    is_public=_is_public,
    keeps_beginnings=_keeps_beginnings,
)
