"""Wake-ups between the processes of one machine: datagrams without content.

The sockets are in Linux's abstract namespace, so a killed listener leaves no file behind; on other
systems, waiting is plain polling.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from typing import Final

from django.conf import settings

_MAX_LISTENERS: Final = 8  # of each name


def _address(name: str, slot: int) -> str:
    instance = hashlib.sha256(str(settings.TIMBA_DATA_DIR).encode()).hexdigest()[:16]
    return f"\0timba-{instance}-{name}-{slot}"


def notify(name: str) -> None:
    """Wake every listener of `name` on this machine; never block, never raise."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for slot in range(_MAX_LISTENERS):
            with contextlib.suppress(OSError):
                sender.sendto(b"!", _address(name, slot))


class DatagramListener:
    """Receives the notifications of one name; a ninth listener of it only polls."""

    def __init__(self, name: str) -> None:
        self._socket: socket.socket | None = None
        for slot in range(_MAX_LISTENERS):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                listener.bind(_address(name, slot))
            except OSError:
                listener.close()
                continue
            self._socket = listener
            return

    def wait(self, seconds: float) -> None:
        """Return when notified, or after `seconds`; pending notifications count as one."""
        if self._socket is None:
            time.sleep(seconds)
            return
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(1)
            self._socket.setblocking(False)
            while self._socket.recv(1):
                pass
        except (TimeoutError, BlockingIOError):
            return

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            self._socket.close()
