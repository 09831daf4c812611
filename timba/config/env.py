"""Reads the environment, once: every variable that Timba knows is named here and in README's table.

A secret may also come from a file, named by the same variable with `_FILE` (as Docker and systemd
hand secrets over). A key that is set nowhere is made once and kept in the data folder.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from timba.accounts.addresses import parse_networks
from timba.config.private_files import UMASK
from timba.db.outages import is_disk_full


class Variables(FileAwareMapping):  # type: ignore[misc]  # it has no types
    """The environment, as its people mean it: an empty variable is one that is not set.

    The newline that ends a secret's file is not part of the secret.
    """

    def __getitem__(self, key: str) -> str:
        try:
            value: str = super().__getitem__(key).rstrip("\r\n")
        except OSError as unreadable:
            raise ImproperlyConfigured(
                f"{key}_FILE names a file that cannot be read: {unreadable.filename}."
            ) from unreadable
        if not value:
            raise KeyError(key)
        return value


class Env(environ.Env):  # type: ignore[misc]  # it has no types
    """Reads values of every type from the variables above."""

    ENVIRON = Variables()


_REDIS: Final = "django.core.cache.backends.redis.RedisCache"
_CACHE_SECONDS: Final = 1


env = Env()

PROJECT_DIR = Path(__file__).resolve().parents[2]
if (PROJECT_DIR / ".env").is_file():
    env.read_env(str(PROJECT_DIR / ".env"))


def text(variable: str, default: str = "") -> str:
    """Return what `variable` holds to the letter: `env.str` takes a leading `$` for a reference."""
    value: str = Env.ENVIRON.get(variable, default)
    return value


def data_folder() -> Path:
    """Return the folder of everything that is kept, made if it is absent."""
    folder = Path(text("TIMBA_DATA_DIR", str(PROJECT_DIR / "var"))).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise ImproperlyConfigured(
            f"TIMBA_DATA_DIR is {folder}, which cannot be made: {refused.strerror}."
        ) from refused
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as refused:
        # On a full disk all that is stored can still be read.
        if not is_disk_full(refused):
            raise ImproperlyConfigured(
                f"TIMBA_DATA_DIR is {folder}, which cannot be written to: {refused.strerror}."
            ) from refused
    return folder


# Every process reads the environment before it makes anything.
os.umask(UMASK)
DATA_DIR = data_folder()


def kept_key(variable: str, file_name: str) -> str:
    """Return the key that `variable` holds, else the one kept in the data folder, made if absent.

    The file is linked into place without overwrite, so that two processes that start at once
    agree on one key.
    """
    key = text(variable)
    if key:
        return key
    path = DATA_DIR / file_name
    try:
        return _key_in(path)
    except OSError as refused:
        raise ImproperlyConfigured(
            f"{variable} is not set, and {path} cannot be read or made: {refused.strerror}."
        ) from refused


def _key_in(path: Path) -> str:
    """Return the key kept in a file, made if absent."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(64))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def whole_number(variable: str, *, default: int, least: int, most: int) -> int:
    """Return the number that `variable` holds; refuse to start with one that makes no sense."""
    given = text(variable, str(default))
    if not (given.isascii() and given.isdigit() and least <= int(given) <= most):
        raise ImproperlyConfigured(
            f"{variable} is {given!r}. Give a whole number from {least:,} to {most:,}."
        )
    return int(given)


def names(variable: str) -> list[str]:
    """Return what `variable` lists, with commas between."""
    return [name.strip() for name in text(variable).split(",") if name.strip()]


def networks(variable: str) -> list[str]:
    """Return the addresses and networks that `variable` lists; refuse to start with another word.

    Found only by a request that needs it, such a word would fail every one.
    """
    listed = names(variable)
    for name in listed:
        try:
            parse_networks([name])
        except ValueError as refused:
            raise ImproperlyConfigured(
                f"{variable} names {name!r}, which is no address or network. Give addresses or "
                "networks with commas between: 10.0.0.5,192.168.7.0/24"
            ) from refused
    return listed


def public_url(host: str, port: int) -> SplitResult:
    """Return `TIMBA_URL`, the address that people type; by default the one served here."""
    served = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    given = text("TIMBA_URL", served)
    try:
        url = urlsplit(given)
        _ = url.port
    except ValueError as refused:
        raise ImproperlyConfigured(
            f"TIMBA_URL is {given!r}, which is no address of a site. Give it as people type it, "
            "without a path: https://timba.example"
        ) from refused
    return url


def storage_options(url: str) -> dict[str, str]:
    """Return what S3Storage needs to know of `s3://KEY:SECRET@HOST[:PORT]/BUCKET[?region=…]`.

    `s3+http://` is the same without TLS. Raises ImproperlyConfigured where a part is missing.
    """
    parts = urlsplit(url)
    schemes = {"s3": "https", "s3+http": "http"}
    bucket = parts.path.strip("/")
    if parts.scheme not in schemes or not all((parts.hostname, parts.username, parts.password)):
        raise ImproperlyConfigured(
            "STORAGE_URL is not like s3://KEY:SECRET@HOST:PORT/BUCKET (s3+http:// without TLS)."
        )
    if not bucket or "/" in bucket:
        raise ImproperlyConfigured("STORAGE_URL must end in the name of one bucket.")
    return {
        "endpoint": f"{schemes[parts.scheme]}://{parts.netloc.rpartition('@')[2]}",
        "key": unquote(parts.username or ""),
        "secret": unquote(parts.password or ""),
        "bucket": bucket,
        "region": parse_qs(parts.query).get("region", ["us-east-1"])[0],
    }


def with_timeouts(cache: dict[str, Any]) -> dict[str, Any]:
    """Return the cache's settings with time limits, where it is a Redis."""
    if cache["BACKEND"] != _REDIS:
        return cache
    # Where there is no Redis, its client is not loaded.
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    limits = {
        "socket_connect_timeout": _CACHE_SECONDS,
        "socket_timeout": _CACHE_SECONDS,
        # The client's own habit is to try again for many seconds.
        "retry": Retry(NoBackoff(), retries=0),
    }
    return {**cache, "OPTIONS": {**limits, **cache.get("OPTIONS", {})}}
