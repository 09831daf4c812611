"""The WSGI application, `gunicorn timba.config.wsgi`, for servers behind a buffering proxy.

Under WSGI a chunked body that is cut off cannot be told from a complete one, so chunked bodies are
rejected: a proxy that buffers them forwards them with a Content-Length.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from timba.errors import LengthRequired
from timba.runtime.wsgi_adapter import BODY_ERROR

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")

_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Respond with 411 to a chunked body, and pass everything else to Django."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        environ[BODY_ERROR] = LengthRequired()
    return _application(environ, start_response)
