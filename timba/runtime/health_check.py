"""Asks a web server whether it is ready.

`python -m timba.runtime.health_check` is the health check of the image: it exits with status 0 if
the web server of this machine is ready. It reads two variables and not the settings, because it
runs every few seconds.
"""

from __future__ import annotations

import os
import ssl
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

_TIMEOUT_SECONDS: Final = 4


def is_ready(host: str, port: int, *, tls: bool, timeout: float) -> bool:
    """Whether the web server there responds within `timeout` seconds that it is ready."""
    connection = HTTPConnection(host, port, timeout=timeout)
    if tls:
        # The certificate is for the public name, and nothing secret is sent.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        connection = HTTPSConnection(host, port, timeout=timeout, context=context)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(
        not is_ready(
            "127.0.0.1",
            int(os.environ.get("TIMBA_PORT") or "8000"),
            tls=bool(os.environ.get("TIMBA_TLS_CERT")),
            timeout=_TIMEOUT_SECONDS,
        )
    )
