"""Makes an installation ready for its processes: tables, cache table, static files, an open port.

Every step finds what is done already and leaves it, so that a second start is quick.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command

from timba.accounts.models import User
from timba.db.checks import DURABILITY
from timba.db.outages import is_disk_full
from timba.files.protections import missing_protections
from timba.files.storage import StorageUnavailable, store

KNOWN_PASSWORD: Final = "admin"  # noqa: S105 - the one everybody knows, refused beyond loopback
# Pages of packages that Timba serves nobody.
_LEFT_OUT: Final = ["rest_framework", "redoc"]
_log = structlog.get_logger(__name__)


def prepare() -> None:
    """Check the set-up, then bring tables and static files up to date."""
    BaseCommand().check(databases=["default"])
    _warn_of_forgetfulness()
    missing_protections()  # whatever is missing is logged
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    _check_store()
    _collect_static_files()


def refuse_known_password(password: str) -> None:
    """Refuse to serve other machines with the password for the administrator everybody knows."""
    if password == KNOWN_PASSWORD and not is_loopback(settings.TIMBA_HOST):
        raise CommandError(
            f"With the password “{KNOWN_PASSWORD}” Timba serves this machine only, and TIMBA_HOST "
            f"is {settings.TIMBA_HOST}. Set TIMBA_ADMIN_PASSWORD to another password first."
        )


def refuse_known_administrator(username: str) -> None:
    """The same for an administrator who was made with that password and has it still."""
    if not is_loopback(settings.TIMBA_HOST) and has_known_password(username):
        raise CommandError(
            f"The administrator “{username}” still has the password “{KNOWN_PASSWORD}”, and "
            f"TIMBA_HOST is {settings.TIMBA_HOST}. Give another password first: "
            f"python manage.py changepassword {username}"
        )


def has_known_password(username: str) -> bool:
    """Whether the administrator signs in with the password that everybody knows."""
    administrator = User.unscoped.filter(username=username, is_active=True).first()
    return administrator is not None and administrator.check_password(KNOWN_PASSWORD)


def refuse_taken_port() -> None:
    """Refuse to start where something else listens already."""
    host, port = settings.TIMBA_HOST, settings.TIMBA_PORT
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as unknown:
        raise CommandError(
            f"TIMBA_HOST is {host}, which is no address of this machine. Give one, as 127.0.0.1."
        ) from unknown
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as refused:
            raise CommandError(
                f"Timba cannot listen on port {port} of {host}: {refused.strerror}. Stop what "
                "uses that port, or choose another one with TIMBA_PORT."
            ) from refused


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _warn_of_forgetfulness() -> None:
    """Say what `check --deploy` refuses: the servers of tests and trials are quick that way."""
    for problem in run_checks(
        tags=[DURABILITY], include_deployment_checks=True, databases=["default"]
    ):
        _log.warning(problem.msg, hint=problem.hint)


def _check_store() -> None:
    """Refuse a store that refuses us; one that is merely away will be back."""
    try:
        store().check()
    except StorageUnavailable:
        _log.warning("the store of files is away: uploads wait for it")
    except ImproperlyConfigured as misfit:
        raise CommandError(str(misfit)) from misfit
    except OSError as refused:
        if is_disk_full(refused):
            _log.warning("the disk of the files is full: nothing can be uploaded")
            return
        raise CommandError(
            f"Timba cannot write to the folder of files, {refused.filename}: {refused.strerror}."
        ) from refused


def _collect_static_files() -> None:
    """Collect static files unless the very same ones were collected before: it takes a while."""
    seen = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(_LEFT_OUT):
            facts = Path(storage.path(name)).stat()
            seen.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    kept = Path(settings.STATIC_ROOT) / ".collected"
    if kept.exists() and kept.read_text() == seen.hexdigest():
        return
    try:
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=_LEFT_OUT)
        kept.write_text(seen.hexdigest())
    except OSError as refused:
        raise CommandError(
            f"Timba cannot write its static files, {refused.filename}: {refused.strerror}."
        ) from refused
