"""Lets one process at a time change a folder, on every machine and container that shares it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_lock(folder: Path, *, if_held: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of an existing folder during the context; wait until it is free.

    `if_held` is called before the wait, if another process holds the lock. The lock is on the
    folder itself: no file is left behind, and the kernel releases it when the process ends.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if_held()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
