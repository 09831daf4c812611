"""Who may make an export: few at a time in a process, and two large ones on a machine.

The places of large ones are locks of the kernel on bytes of one file: all processes see them, and
none is left by a process that was killed. Whoever finds them taken waits, but few do: a thread
that makes an export, or waits for it, answers nobody.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from timba.errors import Unavailable

PLACES: Final = 2
WAIT_SECONDS: Final = 10.0
BUSY: Final = "Other exports are being made just now. Try again in a moment."
_LOOK_SECONDS: Final = 0.1
_threads: Final[Counter[int]] = Counter()
_counting: Final = threading.Lock()


@contextmanager
def export_thread(client_id: int) -> Iterator[None]:
    """Be one of this process's threads that make exports; raise Unavailable beyond.

    They are a quarter of all at most, and half of these for one client.
    """
    most = max(1, settings.TIMBA_WEB_THREADS // 4)
    with _counting:
        if _threads.total() >= most or _threads[client_id] >= max(1, most // 2):
            raise Unavailable(BUSY)
        _threads[client_id] += 1
    try:
        yield
    finally:
        with _counting:
            _threads[client_id] -= 1
            if not _threads[client_id]:
                del _threads[client_id]


@contextmanager
def export_slot(client_id: int) -> Iterator[int]:
    """Hold a place for a large export, and yield the descriptor that does.

    Raises Unavailable where none comes free: there are two, each for another client.

    A child process that inherits the descriptor holds the place too.
    """
    path = settings.TIMBA_DATA_DIR / "exports.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _take_place(lock, client_id):
            _wait_for_place(lock, client_id)
        yield lock
    finally:
        os.close(lock)


def _wait_for_place(lock: int, client_id: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(_LOOK_SECONDS, left))
        if _take_place(lock, client_id):
            return
    raise Unavailable(BUSY)


def _take_place(lock: int, client_id: int) -> bool:
    # The first bytes are the places, and each client has one of its own behind them.
    own = PLACES + client_id
    if not _set(lock, own, fcntl.F_WRLCK):
        return False
    if any(_set(lock, place, fcntl.F_WRLCK) for place in range(PLACES)):
        return True
    _set(lock, own, fcntl.F_UNLCK)
    return False


def _set(lock: int, byte: int, kind: int) -> bool:
    """Lock one byte, or unlock it: for whoever has this file open, not for the whole process."""
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    return True
