"""The embedded worker: threads that claim files with the same query as the Celery tasks.

Nothing is queued in memory: a worker that is killed loses only its leases.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog
from django.conf import settings

from timba.db.errors import drop_connection, is_database_outage, log_outage
from timba.files.processing import process_claimed
from timba.files.sandbox import close_sandbox
from timba.files.scheduling import Slots
from timba.files.sweeping import sweep_files
from timba.files.tasks import WORK_CHANNEL, notify_workers
from timba.wakeup import Listener

_POLL_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 10.0
_ERROR_PAUSE_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)


class Worker:
    """Processes and sweeps files until `stop` is called."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        # At least two, so that a large file leaves one to the quick ones; one more is reserved
        # for other clients.
        threads = max(2, settings.TIMBA_WORKER_THREADS)
        self._slots = Slots(threads + 1, bulk=threads - 1)
        self._threads = [
            threading.Thread(target=self._process_loop, args=(slot,), name=f"worker-{slot}")
            for slot in range(threads + 1)
        ]
        self._threads.append(threading.Thread(target=self._sweep_loop, name="sweeper"))

    def run(self) -> None:
        """Work until `stop`; return when every claimed file is settled or released."""
        for thread in self._threads:
            thread.start()
        _log.info("worker_ready", threads=len(self._threads) - 1)
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Stop every thread; claimed files are released without counting the attempt.

        It takes a lock, so it must not be called by a signal handler.
        """
        self._stopping.set()

    def _process_loop(self, slot: int) -> None:
        listener = Listener(WORK_CHANNEL)
        try:
            while not self._stopping.is_set():
                if not self._process_next(slot):
                    listener.wait(_POLL_SECONDS)
        finally:
            listener.close()
            close_sandbox()
            drop_connection()

    def _process_next(self, slot: int) -> bool:
        """Process the next file; return False where none can be claimed."""
        try:
            file = self._slots.claim(slot)
            if file is None:
                return False
            try:
                process_claimed(file, stopping=self._stopping)
            finally:
                self._slots.free(slot)
            if self._stopping.is_set():
                # The file may have been released: another worker starts it again at once.
                notify_workers([file.pk])
        except Exception as error:  # noqa: BLE001 - nothing would restart a thread that ended
            self._log_and_pause("processing_interrupted", error)
        return True

    def _sweep_loop(self) -> None:
        try:
            while not self._stopping.wait(_SWEEP_SECONDS):
                try:
                    sweep_files(stopping=self._stopping)
                except Exception as error:  # noqa: BLE001 - the same
                    self._log_and_pause("sweep_interrupted", error)
        finally:
            drop_connection()

    def _log_and_pause(self, event: str, error: Exception) -> None:
        """Log an error, most likely a database outage, and wait a moment."""
        if is_database_outage(error):
            log_outage(error)
        else:
            _log.exception(event)
        drop_connection()
        self._stopping.wait(_ERROR_PAUSE_SECONDS)
