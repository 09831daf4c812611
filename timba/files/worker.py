"""The embedded worker: threads that claim waiting files by the very same query as Celery's tasks.

Nothing is queued in memory: a worker that is killed loses nothing but its leases.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog
from django.conf import settings

from timba.db.outages import drop_connection, is_database_outage, log_outage
from timba.files.processing import process_claimed
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import Slots
from timba.files.sweeping import sweep_files
from timba.files.tasks import BELL
from timba.wakeup import Listener

_LOOK_AGAIN_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 10.0
_TROUBLE_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)


class Worker:
    """Processes files until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        # With two at once, a large file leaves one to the quick; one more is there for the others.
        at_once = max(2, settings.TIMBA_WORKER_THREADS)
        self._slots = Slots(at_once + 1, bulk=at_once - 1)
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), name=f"worker-{slot}")
            for slot in range(at_once + 1)
        ]
        self._threads.append(threading.Thread(target=self._keep_sweeping, name="sweeper"))

    def run(self) -> None:
        """Work until `stop`; return when every file in hand is settled or given back."""
        for thread in self._threads:
            thread.start()
        _log.info("worker_ready", threads=len(self._threads) - 1)
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Ask every thread to stop; files in hand are given back unharmed."""
        self._stopping.set()

    def _serve(self, slot: int) -> None:
        bell = Listener(BELL)
        try:
            while not self._stopping.is_set():
                if not self._process_next(slot):
                    bell.wait(_LOOK_AGAIN_SECONDS)
        finally:
            bell.close()
            close_sandbox()
            drop_connection()

    def _process_next(self, slot: int) -> bool:
        """Process the file whose turn it is; return whether to look again at once."""
        try:
            file = self._slots.claim(slot)
            if file is None:
                return False
            try:
                process_claimed(file, stopping=self._stopping)
            finally:
                self._slots.free(slot)
        except Exception as problem:  # noqa: BLE001 - a thread that ended would be missed by nobody
            self._recover("work_interrupted", problem)
        return True

    def _keep_sweeping(self) -> None:
        try:
            while not self._stopping.wait(_SWEEP_SECONDS):
                try:
                    sweep_files(stopping=self._stopping)
                except Exception as problem:  # noqa: BLE001 - the same
                    self._recover("sweep_interrupted", problem)
        finally:
            drop_connection()

    def _recover(self, event: str, problem: Exception) -> None:
        """Log what went wrong, most likely a database that is away, and wait a moment."""
        if is_database_outage(problem):
            log_outage(problem)
        else:
            _log.exception(event)
        drop_connection()
        self._stopping.wait(_TROUBLE_SECONDS)
