"""Runs all processes under one foreground command, for service managers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from timba.accounts.management.commands.csu import USERNAME
from timba.runtime.bootstrap import (
    check_administrator_password,
    check_data_folder,
    check_password_is_not_default,
    check_port_is_free,
    prepare,
)
from timba.runtime.certificate import check_certificate
from timba.runtime.processes import WEB, processes
from timba.runtime.supervisor import Supervisor

_log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run the web server, the workers and the relay until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # `prepare` runs them, with the database checks

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="NAME",
            help="run only this process, such as web or worker; repeat it for several. By default, "
            "those in TIMBA_SERVE_ONLY",
        )

    def handle(self, *args: Any, only: Collection[str] = (), **options: Any) -> None:  # noqa: ARG002 - Django's signature
        check_data_folder()
        specs = processes(only=only or settings.TIMBA_SERVE_ONLY)
        serves_web = any(spec.name == WEB for spec in specs)
        if serves_web:
            check_password_is_not_default(settings.TIMBA_ADMIN_PASSWORD)
            check_port_is_free()
            check_certificate()
        prepare(serves_web=serves_web)
        if serves_web:
            check_administrator_password(USERNAME)
        Supervisor(specs, report=_log.warning, drain_seconds=settings.TIMBA_DRAIN_SECONDS).run()
