"""System checks: unsafe settings are reported with a reason, and errors prevent the start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import rest_framework
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from timba.accounts.addresses import is_loopback, parse_networks
from timba.config.private_files import is_accessible_to_others, private_paths

_KEY_CHARACTERS: Final = 50
_KEY_DIFFERENT_CHARACTERS: Final = 10
# Earlier versions read JSON bodies of any size into memory.
_OLDEST_REST_FRAMEWORK: Final = (3, 17, 2)
# The shortest prefixes of private networks: 10.0.0.0/8 and fc00::/7.
_SHORTEST_PREFIXES: Final = {4: 8, 6: 7}


def check_secret_keys(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Check that the keys that sign sessions and tokens cannot be guessed, and differ."""
    if settings.DEBUG:
        return []
    problems: list[CheckMessage] = [
        Error(
            f"{variable} can be guessed.",
            hint=f"Set at least {_KEY_CHARACTERS} random characters, or leave it unset: then Timba "
            "generates a key and stores it in the data folder.",
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
                hint="Use two keys, so that one can be replaced without the other.",
                id="timba.E002",
            )
        )
    return problems


def check_keys_are_shared(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check that machines which share their data share the keys: each would generate its own."""
    elsewhere = [*_remote_database(), *_remote_store()]
    if not elsewhere:
        return []
    return [
        Error(
            f"{variable} is not set, and {elsewhere[0]}: another machine with the same data would "
            "not accept what this one signs.",
            hint=f"Set it to the same value on every machine: the content of {path}, or a new key "
            "from: openssl rand -base64 48",
            id="timba.E031",
        )
        for variable, path in settings.TIMBA_KEY_FILES.items()
    ]


def check_files_are_shared(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check for a folder of files beside a remote database: other machines may not see it."""
    folder = settings.STORAGES["default"]["OPTIONS"].get("location")
    return [
        CheckWarning(
            f"Files are stored in the folder {folder}, and {database}: another machine with this "
            "database finds no file unless it has the same folder.",
            hint="With several machines, share that folder between them, or set STORAGE_URL.",
            id="timba.W032",
        )
        for database in _remote_database()
        if folder
    ]


def _remote_database() -> Iterator[str]:
    """Yield a clause that names the database's host, if it may be another machine."""
    database = settings.DATABASES["default"]
    host = database.get("HOST") or database.get("OPTIONS", {}).get("host", "")
    # A path is that of a socket.
    if host and not host.startswith("/") and not is_loopback(host):
        yield f"the database is on {host}"


def _remote_store() -> Iterator[str]:
    """Yield a clause that names the S3 server's host, if it may be another machine."""
    host = urlsplit(settings.STORAGES["default"]["OPTIONS"].get("endpoint", "")).hostname
    if host and not is_loopback(host):
        yield f"the bucket is on {host}"


def check_public_url(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check the public address, from which cookies, redirects and links are derived."""
    url = urlsplit(settings.TIMBA_URL)
    has_extra_parts = url.username or url.query or url.fragment or url.path not in {"", "/"}
    if url.scheme in {"http", "https"} and url.hostname and not has_extra_parts:
        return []
    return [
        Error(
            f"TIMBA_URL is {settings.TIMBA_URL!r}, which is no address of a site.",
            hint="Set the public address without a path: https://timba.example",
            id="timba.E003",
        )
    ]


def check_trusted_proxies(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check that trusted networks are narrow: a trusted peer can claim any caller address."""
    return [
        Error(
            f"TIMBA_TRUSTED_PROXIES names {network}: nobody's proxies are so many.",
            hint="List the addresses of the proxies, or their network: 10.0.0.5,192.168.7.0/24",
            id="timba.E004",
        )
        for network in parse_networks(settings.TIMBA_TRUSTED_PROXIES)
        if network.prefixlen < _SHORTEST_PREFIXES[network.version]
    ]


def check_allowed_hosts(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check for wildcards, with which a caller could choose the host of generated URLs."""
    return [
        Error(
            f"TIMBA_ALLOWED_HOSTS names {host!r}, which lets in any host or none.",
            hint="List each host, or a domain with all its hosts: timba.example,.yard.example",
            id="timba.E006",
        )
        for host in settings.ALLOWED_HOSTS
        if "*" in host
    ]


def check_rest_framework_version(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check the version of DRF: old ones let a small request exhaust the memory."""
    version = tuple(int(part) for part in rest_framework.VERSION.split(".")[:3] if part.isdigit())
    if version >= _OLDEST_REST_FRAMEWORK:
        return []
    return [
        Error(
            f"Django REST framework {rest_framework.VERSION} reads bodies of any size.",
            hint="Install the required versions: make setup",
            id="timba.E005",
        )
    ]


def check_no_failpoint(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check that no failpoint of the tests is active."""
    if not settings.TIMBA_FAILPOINT:
        return []
    return [
        Error(
            f"TIMBA_FAILPOINT is {settings.TIMBA_FAILPOINT!r}: Timba fails there on purpose.",
            hint="Leave it unset: it is for tests only.",
            id="timba.E020",
        )
    ]


def check_private_data(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001 - Django's signature
    **_: Any,
) -> list[CheckMessage]:
    """Check that other accounts cannot read stored data; the settings have tried to restrict it."""
    paths = private_paths(settings.TIMBA_DATA_DIR, settings.DATABASES["default"])
    return [
        CheckWarning(
            f"Other accounts of this machine have rights to {path}.",
            hint="Timba could not remove them. The path and its contents must belong to the "
            "account that runs Timba, on a file system with permissions.",
            id="timba.W024",
        )
        for path in paths
        if is_accessible_to_others(path)
    ]
