"""`timba work`: the embedded worker."""

from __future__ import annotations

import signal
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand

from timba.db.newer_migrations import refuse_newer_database
from timba.files.worker import Worker


class Command(BaseCommand):
    """Run the embedded worker until SIGTERM or Ctrl-C."""

    help = "Process uploaded files, without a broker, until SIGTERM or Ctrl-C."
    # The checks of pages and views, which take a second to load, are left to the web server.
    requires_system_checks = (Tags.security,)

    def handle(self, *_: Any, **__: Any) -> None:
        refuse_newer_database()
        worker = Worker()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
