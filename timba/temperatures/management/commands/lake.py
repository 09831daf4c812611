"""`timba lake`: keeps one Apache Iceberg table of all readings up to date."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any, Final

import structlog
from django.core.checks import Tags
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from timba.db.newer_migrations import refuse_newer_database
from timba.errors import DomainError

# Without the extra, the command exists and says so.
HAS_EXTRA: Final = find_spec("pyiceberg") is not None
if HAS_EXTRA:
    from timba.temperatures.lake.catalog import check_settings
    from timba.temperatures.lake.follower import Follower

NO_EXTRA: Final = (
    "PyIceberg is not installed. Install Timba with its extra `lake`: "
    "pip install --require-hashes -r requirements-lake.txt"
)
_log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Keep one Apache Iceberg table of all readings up to date, until SIGTERM or Ctrl-C."
    # Other checks load the URLs and views of the web server, which takes seconds.
    requires_system_checks = (Tags.security,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Bring the table up to date, then end."
        )

    def handle(self, *_args: Any, once: bool, **_options: Any) -> None:
        refuse_newer_database()
        if not HAS_EXTRA:
            raise CommandError(NO_EXTRA)
        try:
            check_settings()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        follower = Follower()
        if once:
            try:
                follower.catch_up()
            except DomainError as error:
                raise CommandError(str(error)) from error
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: follower.stop())
        _log.info("the lake is kept up to date")
        follower.run()
