"""Keeps a lease alive for as long as its worker lives, whatever it waits for.

A thread does so: it stops with the process, so that a worker that is killed or halted loses its
lease all the same. What makes the file safe then is the fencing token, not the lease.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import structlog

from timba.db.outages import drop_connection

_log = structlog.get_logger(__name__)


@contextlib.contextmanager
def heartbeat(renew: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call `renew` every so often until the block is left; no call is under way after that."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(renew, seconds, ended), name="heartbeat")
    thread.daemon = True
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(renew: Callable[[], None], seconds: float, ended: threading.Event) -> None:
    while not ended.wait(seconds):
        try:
            renew()
        except Exception:  # noqa: BLE001 - the database is away or busy: the next beat may pass
            _log.warning("lease_not_renewed", exc_info=True)
        finally:
            drop_connection()
