"""Refuses to start where a promise of Timba would not hold, with a sentence that says why."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import rest_framework
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error

_KEY_CHARACTERS: Final = 50
_KEY_DIFFERENT_CHARACTERS: Final = 10
# Earlier ones read JSON bodies of any size into memory.
_OLDEST_REST_FRAMEWORK: Final = (3, 17, 2)


def keys_are_secret(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Sessions and tokens are only as safe as the keys that sign them."""
    if settings.DEBUG:
        return []
    problems: list[CheckMessage] = [
        Error(
            f"{variable} can be guessed.",
            hint=f"Give at least {_KEY_CHARACTERS} random characters, or leave it unset: Timba "
            "then makes one and keeps it in the data folder.",
            id="timba.E001",
        )
        for variable, key in (
            ("TIMBA_SECRET_KEY", settings.SECRET_KEY),
            ("TIMBA_JWT_KEY", settings.TIMBA_JWT_KEY),
        )
        if len(key) < _KEY_CHARACTERS
        or len(set(key)) < _KEY_DIFFERENT_CHARACTERS
        or key.startswith("django-insecure-")
    ]
    if settings.SECRET_KEY == settings.TIMBA_JWT_KEY:
        problems.append(
            Error(
                "TIMBA_SECRET_KEY and TIMBA_JWT_KEY are the same.",
                hint="Give each its own, so that one can be replaced without the other.",
                id="timba.E002",
            )
        )
    return problems


def address_is_an_address(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Cookies, redirects and links are made for the address that people type."""
    url = urlsplit(settings.TIMBA_URL)
    if url.scheme in {"http", "https"} and url.hostname and url.path in {"", "/"}:
        return []
    return [
        Error(
            f"TIMBA_URL is {settings.TIMBA_URL!r}, which is no address of a site.",
            hint="Give it as people type it, without a path: https://timba.example",
            id="timba.E003",
        )
    ]


def proxies_are_networks(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Whose word is taken for a caller's address must be clear."""
    return [
        Error(
            f"TIMBA_TRUSTED_PROXIES names {network!r}, which is no address or network.",
            hint="Give addresses or networks with commas between: 10.0.0.5,192.168.7.0/24",
            id="timba.E004",
        )
        for network in settings.TIMBA_TRUSTED_PROXIES
        if not _is_network(network)
    ]


def rest_framework_bounds_bodies(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """A small request must not take all the memory."""
    found = tuple(int(part) for part in rest_framework.VERSION.split(".")[:3] if part.isdigit())
    if found >= _OLDEST_REST_FRAMEWORK:
        return []
    return [
        Error(
            f"Django REST framework {rest_framework.VERSION} reads bodies of any size.",
            hint="Install the versions that Timba was made with: make setup",
            id="timba.E005",
        )
    ]


def nothing_is_made_to_fail(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """What tests do to Timba must never happen to people."""
    if not settings.TIMBA_FAILPOINT:
        return []
    return [
        Error(
            f"TIMBA_FAILPOINT is {settings.TIMBA_FAILPOINT!r}: Timba fails there on purpose.",
            hint="Leave it unset: it is for tests alone.",
            id="timba.E020",
        )
    ]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
