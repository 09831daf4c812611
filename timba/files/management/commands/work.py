"""`timba work`: the embedded worker."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue
from typing import Any, Final

from django.core.checks import Tags
from django.core.management.base import BaseCommand

from timba.db.newer_migrations import refuse_newer_database
from timba.files.worker import Worker

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    """Run the embedded worker until SIGTERM or Ctrl-C."""

    help = "Process uploaded files, without a broker, until SIGTERM or Ctrl-C."
    # The checks of pages and views, which take a second to load, are left to the web server.
    requires_system_checks = (Tags.security,)

    def handle(self, *_: Any, **__: Any) -> None:
        refuse_newer_database()
        worker = Worker()
        # The next signal may interrupt a handler, so it must not take a lock, as `stop` does.
        signals: SimpleQueue[int] = SimpleQueue()
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda number, _frame: signals.put(number))
        threading.Thread(target=_stop_on_signal, args=(worker, signals), daemon=True).start()
        worker.run()
        # Python resets handlers before it exits: a late signal would end it by force.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _stop_on_signal(worker: Worker, signals: SimpleQueue[int]) -> None:
    signals.get()
    worker.stop()
