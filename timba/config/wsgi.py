"""The entrance for WSGI servers, `gunicorn timba.config.wsgi`: behind a proxy that buffers bodies.

Under WSGI a chunked body that breaks off half-way reads like a whole one, so none is accepted here:
the proxy sends on what it has buffered with its length.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from timba.errors import LengthRequired
from timba.runtime.wsgi_adapter import REFUSAL

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")

_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer 411 to a chunked body, and hand everything else to Django."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        environ[REFUSAL] = LengthRequired()
    return _application(environ, start_response)
