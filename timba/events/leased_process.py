"""A process that works in cycles while it holds a lease, until it is stopped."""

from __future__ import annotations

import enum
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

import structlog

from timba.db.errors import database_errors
from timba.events.leases import Lease
from timba.events.models import ProcessLease
from timba.wakeup import Listener

_POLL_SECONDS: Final = 1.0
_STOP_CHECK_SECONDS: Final = 0.5
_log = structlog.get_logger(__name__)


class CycleResult(enum.Enum):
    """The result of one cycle, which decides the pause before the next."""

    MOVED = enum.auto()  # there was work, and it was done
    IDLE = enum.auto()  # there is none
    STANDBY = enum.auto()  # another process holds the lease
    STUCK = enum.auto()  # the database or another server failed


class LeasedProcess(ABC):
    """Runs cycles until `stop`; any number of such processes may run, and one of them works."""

    # In seconds: between failures the pause doubles.
    min_pause: ClassVar[float]
    max_pause: ClassVar[float]

    def __init__(self, name: ProcessLease.Name) -> None:
        self._lease = Lease(name)
        self._last_warning = ""
        self._stopping = False

    @abstractmethod
    def run_once(self) -> CycleResult:
        """Run one cycle; a failure is logged when it begins and when it ends."""

    def stop(self) -> None:
        """Make `run` return after the current cycle; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Run cycles until `stop`, then `close`."""
        # What writes events wakes the relay, and everything else that follows them.
        listener = Listener("relay")
        pause = self.min_pause
        try:
            while not self._stopping:
                result = self.run_once()
                if result is CycleResult.IDLE:
                    listener.wait(_POLL_SECONDS)
                elif result is CycleResult.STANDBY:
                    self._sleep(_POLL_SECONDS)
                elif result is CycleResult.STUCK:
                    self._sleep(pause)
                is_stuck = result is CycleResult.STUCK
                pause = min(pause * 2, self.max_pause) if is_stuck else self.min_pause
        finally:
            listener.close()
            self.close()

    def close(self) -> None:
        """Release the lease."""
        try:
            self._lease.release()
        except database_errors():
            _log.warning("the lease was not given back; it expires by itself")

    def _warn_once(self, sentence: str, **facts: Any) -> None:
        """Log a warning, unless it is the last one."""
        if sentence != self._last_warning:
            _log.warning(sentence, **facts)
            self._last_warning = sentence

    def _log_recovery(self, sentence: str) -> None:
        """Log that the reason of the last warning has ended, if there was one."""
        if self._last_warning:
            _log.info(sentence)
            self._last_warning = ""

    def _sleep(self, seconds: float) -> None:
        """Sleep in short intervals, because `time.sleep` continues after a signal."""
        wake_at = time.monotonic() + seconds
        while not self._stopping and (left := wake_at - time.monotonic()) > 0:
            time.sleep(min(left, _STOP_CHECK_SECONDS))
