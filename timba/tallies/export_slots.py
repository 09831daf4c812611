"""Limits concurrent exports: a few threads in each process, and two large exports on a machine.

The slots for large exports are kernel locks on bytes of one file: all processes see them, and a
process that is killed leaves none behind. Waiting for a slot is limited too, because a thread that
makes an export or waits for one serves no other request.
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

LARGE_EXPORT_SLOTS: Final = 2
WAIT_SECONDS: Final = 10.0
BUSY: Final = "Other exports are being made just now. Try again in a moment."
_POLL_SECONDS: Final = 0.1
_threads: Final[Counter[int]] = Counter()
_threads_lock: Final = threading.Lock()


@contextmanager
def export_thread_slot(client_id: int) -> Iterator[None]:
    """Count this thread among those that make exports; raise Unavailable if there are too many.

    At most a quarter of the web threads of a process make exports, half of these for one client.
    """
    max_threads = max(1, settings.TIMBA_WEB_THREADS // 4)
    with _threads_lock:
        if _threads.total() >= max_threads or _threads[client_id] >= max(1, max_threads // 2):
            raise Unavailable(BUSY)
        _threads[client_id] += 1
    try:
        yield
    finally:
        with _threads_lock:
            _threads[client_id] -= 1
            if not _threads[client_id]:
                del _threads[client_id]


@contextmanager
def large_export_slot(client_id: int) -> Iterator[int]:
    """Hold one of the machine's two slots, and yield the file descriptor that holds it.

    A client has at most one slot at a time. Raises Unavailable if none becomes free within
    WAIT_SECONDS. A child process that inherits the descriptor holds the slot for as long as it
    runs.
    """
    path = settings.TIMBA_DATA_DIR / "exports.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try_lock_slot(lock, client_id):
            _wait_for_slot(lock, client_id)
        yield lock
    finally:
        os.close(lock)


def _wait_for_slot(lock: int, client_id: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (remaining := deadline - time.monotonic()) > 0:
        time.sleep(min(_POLL_SECONDS, remaining))
        if _try_lock_slot(lock, client_id):
            return
    raise Unavailable(BUSY)


def _try_lock_slot(lock: int, client_id: int) -> bool:
    # The first bytes of the file are the slots; after them, each client has a byte of its own.
    client_byte = LARGE_EXPORT_SLOTS + client_id
    if not _lock_byte(lock, client_byte, fcntl.F_WRLCK):
        return False
    if any(_lock_byte(lock, slot, fcntl.F_WRLCK) for slot in range(LARGE_EXPORT_SLOTS)):
        return True
    _lock_byte(lock, client_byte, fcntl.F_UNLCK)
    return False


def _lock_byte(lock: int, byte: int, kind: int) -> bool:
    """Lock or unlock one byte, and return whether that succeeded.

    An open file description lock belongs to the open file, not to the process, so that threads
    exclude each other and child processes inherit it.
    """
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    return True
