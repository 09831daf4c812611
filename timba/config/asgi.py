"""The entrance for ASGI servers, `granian --interface asgi timba.config.asgi`: what Timba runs on.

`timba.config.wsgi` is the same application for WSGI servers, which need a proxy that buffers.
"""

from __future__ import annotations

import os
import resource
from typing import Any, Final

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from timba.accounts.addresses import address_group, caller_of, parse_networks
from timba.runtime.wsgi_adapter import WSGIAdapter

# Twice what granian lets in (`programs.py`): a connection may have a file or a database beside it.
_OPEN_FILES: Final = 4096


# Their views read a body before they know who sends it.
_PUBLIC: Final = frozenset(
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
    return environ["PATH_INFO"].rstrip("/") in _PUBLIC


def _address(environ: dict[str, Any]) -> str:
    """Return what a request's share of the slots is counted for."""
    forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
    return address_group(caller_of(environ["REMOTE_ADDR"], forwarded_for, _trusted))


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")
_allow_open_files()
_trusted = parse_networks(settings.TIMBA_TRUSTED_PROXIES)
application = WSGIAdapter(
    get_wsgi_application(),
    threads=settings.TIMBA_WEB_THREADS,
    address_of=_address,
    is_public=_is_public,
)
