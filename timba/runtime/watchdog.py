"""Ends a Celery worker that has gone deaf, so that what keeps it running starts it again.

After a broker was reset, a worker may live on and take nothing any more. No file is lost by that,
for its row waits; but it would wait until somebody looks. So each worker is asked, by a thread of
its own: does the broker hold messages for you, are your hands empty, and have you taken none?
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

_LOOK_SECONDS: Final = 5.0
_DEAF_SECONDS: Final = 20.0
_GRACE_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class Watchdog(bootsteps.StartStopStep):
    """Watches over the worker that it is a part of."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping = threading.Event()
        self._app = parent.app
        self._queues: list[str] = []

    def start(self, parent: Any) -> None:
        # As they are now: a worker that is told to leave a queue is deaf to it too.
        self._queues = list(parent.app.amqp.queues.consume_from)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        self._stopping.set()

    def _watch(self) -> None:
        heard_at, taken = time.monotonic(), -1
        while not self._stopping.wait(_LOOK_SECONDS):
            now = time.monotonic()
            if taken != state.all_total_count[0] or state.reserved_requests or not self._is_rung():
                heard_at, taken = now, state.all_total_count[0]
            elif now - heard_at > _DEAF_SECONDS:
                _log.error("this worker takes nothing any more and ends", queues=self._queues)
                self._end()

    def _is_rung(self) -> bool:
        """Whether messages wait; a broker that is away has none for anybody."""
        try:
            return queued_messages(self._app, self._queues) > 0
        except Exception:  # noqa: BLE001 - whatever ails the broker, the watch goes on
            return False

    def _end(self) -> None:
        """End politely, and a moment later without asking: it may be deaf to signals too."""
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._stopping.wait(_GRACE_SECONDS):
            for child in active_children():
                child.terminate()
            os._exit(1)
