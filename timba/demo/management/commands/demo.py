"""Runs Timba with a demo company, for `timba demo` and `make demo`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from timba.accounts.management.commands.csu import USERNAME
from timba.accounts.services import create_administrator
from timba.demo.company import load_company, should_load
from timba.runtime.bootstrap import (
    DEFAULT_PASSWORD,
    check_administrator_password,
    check_password_is_not_default,
    check_port_is_free,
    has_default_password,
    prepare,
)
from timba.runtime.certificate import check_certificate
from timba.runtime.health_check import is_ready
from timba.runtime.processes import processes
from timba.runtime.supervisor import Supervisor
from timba.serialization import dumps

_POLL_SECONDS: Final = 0.5
_REMINDER_SECONDS: Final = 60.0


class Command(BaseCommand):
    help = "Run Timba with a demo company until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # `prepare` runs them, with the database checks

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        password = settings.TIMBA_ADMIN_PASSWORD or DEFAULT_PASSWORD
        check_password_is_not_default(password)
        check_port_is_free()
        check_certificate()
        self._print("Preparing Timba: database, cache table, static files.")
        prepare()
        check_administrator_password(USERNAME)
        create_administrator(username=USERNAME, password=password)
        if should_load():
            self._print("Loading the demo company: its people, consignments, photos, readings.")
            self._print(load_company(administrator=USERNAME))
        greeting = self._greeting()
        connections.close_all()
        log_path = settings.TIMBA_DATA_DIR / "log" / "timba.log"
        with _open_log(log_path) as log:
            report = self._reporter(log)
            announcer = ReadyAnnouncer(report, greeting=greeting, log_path=log_path)
            Supervisor(processes(), report=report, output=log).run(each_tick=announcer.poll)
        self._print("Timba has stopped.")

    def _greeting(self) -> str:
        is_default = has_default_password(USERNAME)
        credential = f"the password “{DEFAULT_PASSWORD}”" if is_default else "its own password"
        return (
            f"Timba is ready at {settings.TIMBA_URL}/ "
            f"Sign in as “{USERNAME}” with {credential}. Ctrl-C ends Timba."
        )

    def _reporter(self, log: IO[bytes]) -> Callable[[str], None]:
        """Return a function that prints a message to the terminal and logs it with the time."""

        def report(sentence: str) -> None:
            self._print(sentence)
            log.write(dumps({"event": sentence, "timestamp": datetime.now(UTC)}) + b"\n")
            log.flush()

        return report

    def _print(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


class ReadyAnnouncer:
    """Polls the readiness endpoint, and reports once when Timba is ready."""

    def __init__(self, report: Callable[[str], None], *, greeting: str, log_path: Path) -> None:
        self._report = report
        self._greeting = greeting
        self._log_path = log_path
        self._done = False
        self._poll_at = time.monotonic()
        self._remind_at = time.monotonic() + _REMINDER_SECONDS

    def poll(self) -> None:
        """Check readiness if it is time to; report every minute that Timba is not ready."""
        now = time.monotonic()
        if self._done or now < self._poll_at:
            return
        self._poll_at = now + _POLL_SECONDS
        if _is_ready():
            self._done = True
            self._report(self._greeting)
        elif now > self._remind_at:
            self._remind_at = now + _REMINDER_SECONDS
            self._report(f"Timba does not answer yet. Its log says why: {self._log_path}")


def _is_ready() -> bool:
    return is_ready(
        _local_host(),
        settings.TIMBA_PORT,
        tls=bool(settings.TIMBA_TLS_CERT),
        timeout=_POLL_SECONDS,
    )


def _local_host() -> str:
    """Return the address under which this machine reaches a server on `TIMBA_HOST`."""
    try:
        address = ip_address(settings.TIMBA_HOST)
    except ValueError:
        return str(settings.TIMBA_HOST)
    if not address.is_unspecified:
        return str(address)
    return "127.0.0.1" if address.version == 4 else "::1"


def _open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
