"""Tells the web processes of a supervisor that it is shutting down, for `/health/ready`.

They are children of its child, so they share only their environment with it. That names a socket in
Linux's abstract namespace, which exists while the supervisor drains: a killed one leaves nothing
behind. On other systems, readiness does not change.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from typing import Final

_VARIABLE: Final = "TIMBA_DRAIN_SOCKET"


class DrainSignal:
    """The supervisor's side: `environment` is for its children."""

    def __init__(self) -> None:
        self._name = f"timba-draining-{secrets.token_hex(16)}"
        self.environment = {_VARIABLE: self._name}

    @contextlib.contextmanager
    def sent(self) -> Iterator[None]:
        """Make `is_draining` true in the children during the context."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as signal:
            with contextlib.suppress(OSError):
                signal.bind(f"\0{self._name}")
            yield


def is_draining() -> bool:
    """Whether the supervisor of this process, if it has one, is shutting down."""
    name = os.environ.get(_VARIABLE)
    if not name:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(f"\0{name}") == 0
