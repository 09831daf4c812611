"""Runs all of Timba for a first look: what `make demo` starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from timba.accounts.management.commands.csu import USERNAME
from timba.accounts.services import make_administrator
from timba.demo.company import is_wanted, load_company
from timba.runtime.bootstrap import (
    KNOWN_PASSWORD,
    has_known_password,
    prepare,
    refuse_known_administrator,
    refuse_known_password,
    refuse_taken_port,
)
from timba.runtime.processes import processes
from timba.runtime.supervisor import Supervisor
from timba.serialization import dumps

_LOOK_SECONDS: Final = 0.5
_LONG_SECONDS: Final = 60.0


class Command(BaseCommand):
    help = "Sets up and runs Timba with a demo company until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # `prepare` checks, the database too

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        password = settings.TIMBA_ADMIN_PASSWORD or KNOWN_PASSWORD
        refuse_known_password(password)
        refuse_taken_port()
        self._tell("Making Timba ready: database, cache table, static files.")
        prepare()
        refuse_known_administrator(USERNAME)
        make_administrator(username=USERNAME, password=password)
        if is_wanted():
            self._tell("Loading the demo company: its people, consignments, photos, readings.")
            self._tell(load_company(administrator=USERNAME))
        greeting = self._greeting()
        connections.close_all()
        log_path = settings.TIMBA_DATA_DIR / "log" / "timba.log"
        with _opened(log_path) as log:
            say = self._telling(log)
            herald = ReadyAnnouncer(say, greeting=greeting, log_path=log_path)
            Supervisor(processes(), say=say, output=log).run(each_tick=herald.look)
        self._tell("Timba has stopped.")

    def _greeting(self) -> str:
        known = has_known_password(USERNAME)
        how = f"the password “{KNOWN_PASSWORD}”" if known else "its own password"
        return (
            f"Timba is ready at {settings.TIMBA_URL}/ "
            f"Sign in as “{USERNAME}” with {how}. Ctrl-C ends Timba."
        )

    def _telling(self, log: IO[bytes]) -> Callable[[str], None]:
        """Return what speaks to the terminal and, with the time, to the log."""

        def say(sentence: str) -> None:
            self._tell(sentence)
            log.write(dumps({"event": sentence, "timestamp": datetime.now(UTC)}) + b"\n")
            log.flush()

        return say

    def _tell(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


class ReadyAnnouncer:
    """Asks whether Timba answers yet, and says so once."""

    def __init__(self, say: Callable[[str], None], *, greeting: str, log_path: Path) -> None:
        self._say = say
        self._greeting = greeting
        self._log_path = log_path
        self._done = False
        self._look_at = time.monotonic()
        self._complain_at = time.monotonic() + _LONG_SECONDS

    def look(self) -> None:
        now = time.monotonic()
        if self._done or now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if _is_ready():
            self._done = True
            self._say(self._greeting)
        elif now > self._complain_at:
            self._complain_at = now + _LONG_SECONDS
            self._say(f"Timba does not answer yet. Its log says why: {self._log_path}")


def _is_ready() -> bool:
    connection = HTTPConnection(_near_host(), settings.TIMBA_PORT, timeout=_LOOK_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _near_host() -> str:
    """Return where this machine reaches what listens on `TIMBA_HOST`."""
    try:
        address = ip_address(settings.TIMBA_HOST)
    except ValueError:
        return str(settings.TIMBA_HOST)
    if not address.is_unspecified:
        return str(address)
    return "127.0.0.1" if address.version == 4 else "::1"


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
