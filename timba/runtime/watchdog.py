"""Ends a Celery worker that has stopped consuming, so that its supervisor restarts it.

After a broker was reset, a worker may keep running without receiving messages. No file is lost,
because its row is still pending, but it would wait until an operator restarts the worker. So a
thread of each worker checks: are messages queued, is the worker idle, and has it received none?
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any, Final

import structlog
from billiard import active_children
from celery import bootsteps
from celery.worker import state

from timba.files.tasks import queued_messages

_POLL_SECONDS: Final = 5.0
_STALL_SECONDS: Final = 20.0
_GRACE_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class Watchdog(bootsteps.StartStopStep):
    """A bootstep that monitors its own worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping = threading.Event()
        self._app = parent.app
        self._queues: list[str] = []

    def start(self, parent: Any) -> None:
        # The queues at start: a worker that cancelled a consumer has stopped consuming too.
        self._queues = list(parent.app.amqp.queues.consume_from)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        self._stopping.set()

    def _watch(self) -> None:
        progress_at, received = time.monotonic(), -1
        while not self._stopping.wait(_POLL_SECONDS):
            now = time.monotonic()
            total = state.all_total_count[0]
            if received != total or state.reserved_requests or not self._has_messages():
                progress_at, received = now, total
            elif now - progress_at > _STALL_SECONDS:
                _log.error(
                    "this worker receives no messages any more and ends", queues=self._queues
                )
                self._end()

    def _has_messages(self) -> bool:
        """Whether messages are queued; False if the broker is unavailable."""
        try:
            return queued_messages(self._app, self._queues) > 0
        except Exception:  # noqa: BLE001 - no failure of the broker may end the thread
            return False

    def _end(self) -> None:
        """Send SIGTERM, and exit after a grace period, in case the signal has no effect."""
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._stopping.wait(_GRACE_SECONDS):
            for child in active_children():
                child.terminate()
            os._exit(1)
