"""Runs all processes under one foreground command, for service managers."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand

from timba.accounts.management.commands.csu import USERNAME
from timba.runtime.bootstrap import (
    check_administrator_password,
    check_password_is_not_default,
    check_port_is_free,
    prepare,
)
from timba.runtime.processes import processes
from timba.runtime.supervisor import Supervisor

_log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run the web server, the workers and the relay until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # `prepare` runs them, with the database checks

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        check_password_is_not_default(settings.TIMBA_ADMIN_PASSWORD)
        check_port_is_free()
        prepare()
        check_administrator_password(USERNAME)
        Supervisor(processes(), report=_log.warning).run()
