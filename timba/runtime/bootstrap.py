"""Prepares an installation before its processes start: tables, cache table, static files, port.

Every step is skipped if it is already done, so that a second start is quick.
"""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command

from timba.accounts.addresses import is_loopback
from timba.accounts.models import User
from timba.db.checks import DURABILITY
from timba.db.errors import is_disk_full
from timba.db.migration_lock import migration_lock
from timba.db.newer_migrations import refuse_newer_database
from timba.files.protections import missing_protections
from timba.files.storage import StorageUnavailable, store
from timba.folder_lock import folder_lock
from timba.installation import COMMAND, enclosing_git_tree
from timba.runtime.restore_marker import check_not_being_restored

DEFAULT_PASSWORD: Final = "admin"  # noqa: S105 - of the demo, refused beyond loopback
# Files of packages whose pages Timba does not serve.
_IGNORED_STATIC_FILES: Final = ["rest_framework", "redoc"]
_log = structlog.get_logger(__name__)


def prepare(*, serves_web: bool = True) -> None:
    """Run the system checks, then bring tables and, for the web server, static files up to date.

    Several processes may do this at once, on several machines: all but one wait for the tables.
    """
    BaseCommand().check(databases=["default"])
    check_not_being_restored()
    _warn_about_durability()
    missing_protections()  # logs each missing protection
    with migration_lock():
        refuse_newer_database()  # checked above too, but another process may have migrated since
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
    _check_store()
    if serves_web:
        _collect_static_files()


def check_password_is_not_default(password: str) -> None:
    """Raise CommandError if the default password would be used beyond this machine."""
    if password == DEFAULT_PASSWORD and (variable := _variable_beyond_loopback()):
        raise CommandError(
            f"With the password “{DEFAULT_PASSWORD}” Timba serves this machine only, and "
            f"{variable}. Set TIMBA_ADMIN_PASSWORD to another password first."
        )


def check_administrator_password(username: str) -> None:
    """Raise CommandError if the administrator has the default password beyond this machine."""
    if (variable := _variable_beyond_loopback()) and has_default_password(username):
        raise CommandError(
            f"The administrator “{username}” still has the password “{DEFAULT_PASSWORD}”, and "
            f"{variable}. Set another password first: {COMMAND} changepassword {username}"
        )


def _variable_beyond_loopback() -> str:
    """Return “NAME is VALUE” of what lets other machines reach Timba, directly or by a proxy."""
    if not is_loopback(settings.TIMBA_HOST):
        return f"TIMBA_HOST is {settings.TIMBA_HOST}"
    if not is_loopback(urlsplit(settings.TIMBA_URL).hostname or ""):
        return f"TIMBA_URL is {settings.TIMBA_URL}"
    return ""


def has_default_password(username: str) -> bool:
    """Whether the active administrator has the default password."""
    administrator = User.unscoped.filter(username=username, is_active=True).first()
    return administrator is not None and administrator.check_password(DEFAULT_PASSWORD)


def check_data_folder() -> None:
    """Raise CommandError if the default data folder is in a git tree, where `git clean` erases."""
    tree = enclosing_git_tree(settings.TIMBA_DATA_DIR)
    if tree is not None and not settings.TIMBA_DATA_DIR_IS_NAMED:
        raise CommandError(
            f"The data folder is {settings.TIMBA_DATA_DIR}, in the git tree {tree}, where git may "
            "delete it. Set TIMBA_DATA_DIR to a folder elsewhere, or to this one to use it."
        )


def check_port_is_free() -> None:
    """Raise CommandError unless TIMBA_HOST and TIMBA_PORT can be listened on."""
    host, port = settings.TIMBA_HOST, settings.TIMBA_PORT
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CommandError(
            f"TIMBA_HOST is {host}, which is no address of this machine. "
            "Set one, such as 127.0.0.1."
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise CommandError(
                f"Timba cannot listen on port {port} of {host}: {error.strerror}. Stop what "
                "uses that port, or choose another one with TIMBA_PORT."
            ) from error


def _warn_about_durability() -> None:
    """Log durability problems as warnings; only `check --deploy` treats them as errors."""
    for problem in run_checks(
        tags=[DURABILITY], include_deployment_checks=True, databases=["default"]
    ):
        _log.warning(problem.msg, hint=problem.hint)


def _check_store() -> None:
    """Raise CommandError for a misconfigured store; an unavailable one is only logged."""
    try:
        store().check()
    except StorageUnavailable:
        _log.warning("the file store is unavailable: uploads fail until it is back")
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        if is_disk_full(error):
            _log.warning("the disk of the file store is full: nothing can be uploaded")
            return
        raise CommandError(
            f"Timba cannot write to the folder of files, {error.filename}: {error.strerror}."
        ) from error


def _collect_static_files() -> None:
    """Collect static files if any has changed since the last time, because it is slow."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(_IGNORED_STATIC_FILES):
            info = Path(storage.path(name)).stat()
            digest.update(f"{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    root = Path(settings.STATIC_ROOT)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with folder_lock(root):
            _collect_unless_marked(root / ".collected", digest.hexdigest())
    except OSError as error:
        raise CommandError(
            f"Timba cannot write its static files, {error.filename}: {error.strerror}."
        ) from error


def _collect_unless_marked(marker: Path, digest: str) -> None:
    if marker.exists() and marker.read_text() == digest:
        return
    call_command(
        "collectstatic", interactive=False, verbosity=0, ignore_patterns=_IGNORED_STATIC_FILES
    )
    marker.write_text(digest)
