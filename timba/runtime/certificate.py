"""Checks the certificate before the web server starts, which would only end and be restarted."""

from __future__ import annotations

import ssl
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError


def check_certificate() -> None:
    """Raise CommandError unless the files of TLS, if any are set, can be read and fit together."""
    certificate, key = settings.TIMBA_TLS_CERT, settings.TIMBA_TLS_KEY
    if not certificate:
        return
    for variable, path in (("TIMBA_TLS_CERT", certificate), ("TIMBA_TLS_KEY", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise CommandError(
                f"{variable} is {path}, which cannot be read: {error.strerror}. "
                "The account that Timba runs as needs the right to."
            ) from error
    try:
        # With an empty password, a key that has one is refused; otherwise OpenSSL would ask for it.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise CommandError(
            f"TIMBA_TLS_CERT, {certificate}, and TIMBA_TLS_KEY, {key}, are not a certificate and "
            "its own key. Both must be PEM files, the key without a password."
        ) from error
