"""Asks the web server of this machine whether it is ready: the image's health check.

`python -m timba.runtime.health_check` exits with status 0 if it is. It reads two variables and not
the settings, because it runs every few seconds.
"""

from __future__ import annotations

import os
import ssl
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

_TIMEOUT_SECONDS: Final = 4


def is_ready(port: int, *, tls: bool) -> bool:
    """Whether the web server on a port of 127.0.0.1 answers that it is ready."""
    if tls:
        # The certificate is for the public name, and nothing secret is sent.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        connection: HTTPConnection = HTTPSConnection(
            "127.0.0.1", port, timeout=_TIMEOUT_SECONDS, context=context
        )
    else:
        connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    port = int(os.environ.get("TIMBA_PORT") or "8000")
    sys.exit(not is_ready(port, tls=bool(os.environ.get("TIMBA_TLS_CERT"))))
