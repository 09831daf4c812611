"""Runs all of Timba under one foreground command: what a service manager starts."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand

from timba.accounts.management.commands.csu import USERNAME
from timba.runtime.bootstrap import (
    prepare,
    refuse_known_administrator,
    refuse_known_password,
    refuse_taken_port,
)
from timba.runtime.processes import processes
from timba.runtime.supervisor import Supervisor

_log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Runs web server, worker and relay together until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # `prepare` checks, the database too

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        refuse_known_password(settings.TIMBA_ADMIN_PASSWORD)
        refuse_taken_port()
        prepare()
        refuse_known_administrator(USERNAME)
        Supervisor(processes(), say=_log.warning).run()
