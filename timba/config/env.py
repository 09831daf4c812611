"""Reads the environment variables and the settings file; README's table lists all variables.

The file has lines `VARIABLE=value`; the environment prevails over it.

A secret may also come from a file that is named by the same variable with `_FILE`, as Docker and
systemd provide secrets. A key that is not set is generated once and stored in the data folder.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from io import StringIO
from pathlib import Path
from pwd import getpwuid
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from timba.accounts.addresses import parse_networks
from timba.config.private_files import UMASK
from timba.db.errors import is_disk_full
from timba.installation import IS_CLONE, default_data_folder, default_settings_file

_REDIS: Final = "django.core.cache.backends.redis.RedisCache"
_CACHE_TIMEOUT_SECONDS: Final = 1


class Variables(FileAwareMapping):  # type: ignore[misc]  # it has no types
    """The environment, in which an empty variable counts as unset.

    The newline at the end of a secret's file is not part of the secret.
    """

    def __getitem__(self, key: str) -> str:
        try:
            value: str = super().__getitem__(key).rstrip("\r\n")
        except OSError as error:
            raise ImproperlyConfigured(
                f"{key}_FILE names a file that cannot be read: {error.filename}."
            ) from error
        if not value:
            raise KeyError(key)
        return value


class Env(environ.Env):  # type: ignore[misc]  # it has no types
    """django-environ's Env, reading the variables above."""

    ENVIRON = Variables()


env = Env()


def get_str(variable: str, default: str = "") -> str:
    """Return the value literally; `env.str` would resolve a leading `$` as a reference."""
    value: str = Env.ENVIRON.get(variable, default)
    return value


def read_settings_file() -> Path:
    """Read the settings file, if there is one, into the environment; return the folder it is in.

    Raises ImproperlyConfigured if it cannot be read, or if TIMBA_SETTINGS names one that is absent.
    """
    named = get_str("TIMBA_SETTINGS")
    path = Path(named).absolute() if named else default_settings_file()
    try:
        content = path.read_text()
    except FileNotFoundError as error:
        if named:
            raise ImproperlyConfigured(
                f"TIMBA_SETTINGS is {path}, which does not exist."
            ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ImproperlyConfigured(
            f"The settings file {path} cannot be read: {reason}. Timba needs it: run this command "
            "as the account that Timba runs as."
        ) from error
    else:
        env.read_env(StringIO(content))
    return path.parent


def load() -> tuple[Path, bool]:
    """Read the settings file; return the data folder, and whether a variable names it.

    A relative path counts from the current folder, or from that of the file in which it is.
    """
    in_environment = bool(get_str("TIMBA_DATA_DIR"))
    settings_folder = read_settings_file()
    named = get_str("TIMBA_DATA_DIR")
    base = Path.cwd() if in_environment else settings_folder
    folder = create_data_folder((base / (named or default_data_folder())).resolve())
    _refuse_root_for_data_of_others(folder)
    os.environ["TIMBA_DATA_DIR"] = str(folder)  # for the processes that this one starts
    return folder, bool(named)


def _refuse_root_for_data_of_others(folder: Path) -> None:
    """Raise ImproperlyConfigured if root would leave files that the service cannot read."""
    owner = folder.stat().st_uid
    if IS_CLONE or os.geteuid() != 0 or owner == 0:
        return
    try:
        account = getpwuid(owner).pw_name
    except KeyError:  # it has no name on this machine
        account = str(owner)
    raise ImproperlyConfigured(
        f"The data folder {folder} belongs to the account “{account}”, which could not read what "
        f"root stores there. Run the command as this account: runuser -u {account} -- timba …"
    )


def create_data_folder(folder: Path) -> Path:
    """Return the data folder, created if it is absent; raise ImproperlyConfigured if unwritable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"TIMBA_DATA_DIR is {folder}, which cannot be made: {error.strerror}."
        ) from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        # With a full disk, stored files can still be read.
        if not is_disk_full(error):
            raise ImproperlyConfigured(
                f"TIMBA_DATA_DIR is {folder}, which cannot be written to: {error.strerror}."
            ) from error
    return folder


def create_metrics_folder(default: Path) -> Path:
    """Return the folder of metrics, created if it is absent; see timba.metric_files.

    Raises ImproperlyConfigured if it cannot be created, but for a full disk.
    """
    folder = Path(get_str("TIMBA_METRICS_DIR", str(default))).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if not is_disk_full(error):
            raise ImproperlyConfigured(
                f"TIMBA_METRICS_DIR is {folder}, which cannot be made: {error.strerror}."
            ) from error
    return folder


def get_or_create_key(variable: str, file_name: str) -> str:
    """Return the key in `variable`, else the one stored in the data folder, generated if absent.

    The file is linked into place without overwriting, so that two processes that start at the same
    time use the same key.
    """
    key = get_str(variable)
    if key:
        return key
    path = DATA_DIR / file_name
    try:
        return _read_or_create_key(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{variable} is not set, and {path} cannot be read or made: {error.strerror}."
        ) from error


def _read_or_create_key(path: Path) -> str:
    """Return the key in a file, which is created if absent."""
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


def get_int(variable: str, *, default: int, minimum: int, maximum: int) -> int:
    """Return a whole number; raise ImproperlyConfigured outside [minimum, maximum]."""
    value = get_str(variable, str(default))
    if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
        raise ImproperlyConfigured(
            f"{variable} is {value!r}. Give a whole number from {minimum:,} to {maximum:,}."
        )
    return int(value)


def get_list(variable: str, default: str = "") -> list[str]:
    """Return the items of a comma-separated list."""
    return [name.strip() for name in get_str(variable, default).split(",") if name.strip()]


def get_networks(variable: str, default: str = "") -> list[str]:
    """Return a list of addresses and networks; raise ImproperlyConfigured for anything else.

    Checked at start, because an invalid item would otherwise fail every request.
    """
    items = get_list(variable, default)
    for item in items:
        try:
            parse_networks([item])
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{variable} names {item!r}, which is no address or network. Give addresses or "
                "networks with commas between: 10.0.0.5,192.168.7.0/24"
            ) from error
    return items


def get_tls_files() -> tuple[str, str]:
    """Return the paths of the certificate and its key, both empty without TLS.

    Raises ImproperlyConfigured if one of them is not set.
    """
    paths = {
        "TIMBA_TLS_CERT": get_str("TIMBA_TLS_CERT"),
        "TIMBA_TLS_KEY": get_str("TIMBA_TLS_KEY"),
    }
    unset = [name for name, path in paths.items() if not path]
    if len(unset) == 1:
        raise ImproperlyConfigured(
            f"{unset[0]} is not set. TLS needs both: TIMBA_TLS_CERT names the file of the "
            "certificate, TIMBA_TLS_KEY that of its key."
        )
    certificate, key = (path and str(Path(path).absolute()) for path in paths.values())
    return certificate, key


def get_public_url(host: str, port: int, *, tls: bool = False) -> SplitResult:
    """Return `TIMBA_URL`, the public address; by default the one that is served."""
    served = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    value = get_str("TIMBA_URL", served)
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError as error:
        raise ImproperlyConfigured(
            f"TIMBA_URL is {value!r}, which is no address of a site. Give it as people type it, "
            "without a path: https://timba.example"
        ) from error
    return url


def parse_storage_url(url: str) -> dict[str, str]:
    """Return the arguments of S3Storage for `s3://KEY:SECRET@HOST[:PORT]/BUCKET[?region=…]`.

    `s3+http://` is the same without TLS. Raises ImproperlyConfigured if a part is missing.
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
    """Return the cache settings, with timeouts if the cache is Redis."""
    if cache["BACKEND"] != _REDIS:
        return cache
    # Without Redis, its client is not loaded.
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    options = {
        "socket_connect_timeout": _CACHE_TIMEOUT_SECONDS,
        "socket_timeout": _CACHE_TIMEOUT_SECONDS,
        # The client's default is to retry for many seconds.
        "retry": Retry(NoBackoff(), retries=0),
    }
    return {**cache, "OPTIONS": {**options, **cache.get("OPTIONS", {})}}


# Every process reads the environment before it creates any file.
os.umask(UMASK)
DATA_DIR, IS_DATA_DIR_NAMED = load()
# Before the first metric is defined.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(create_metrics_folder(DATA_DIR / "metrics"))
