"""Wakes a waiting process at once: a datagram that says "look again" and carries nothing.

The rows are the truth. A ring that is lost costs one polling interval, never work. The sockets
live in Linux's abstract namespace, so a killed listener leaves nothing behind; where there is no
such namespace, waiting is plain polling.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from typing import Final

from django.conf import settings

_LISTENERS: Final = 8


def _address(name: str, place: int) -> str:
    house = hashlib.sha256(str(settings.TIMBA_DATA_DIR).encode()).hexdigest()[:16]
    return f"\0timba-{house}-{name}-{place}"


def notify(name: str) -> None:
    """Wake every listener of `name` on this machine; never block, never raise."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for place in range(_LISTENERS):
            with contextlib.suppress(OSError):
                sender.sendto(b"!", _address(name, place))


class Listener:
    """A listener for `notify(name)`."""

    def __init__(self, name: str) -> None:
        self._socket: socket.socket | None = None
        for place in range(_LISTENERS):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                listener.bind(_address(name, place))
            except OSError:
                listener.close()
                continue
            self._socket = listener
            return

    def wait(self, seconds: float) -> None:
        """Return when rung, or after `seconds`; rings that came in meanwhile count as one."""
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
