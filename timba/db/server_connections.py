"""What connections to PostgreSQL and MariaDB have in common: cheap checks, attempts to connect.

Each thread keeps its connection. Django checks it before the first query of a request, by a query
that costs as much as the one that follows.
"""

from __future__ import annotations

import select
import time
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from timba.db.connections import CONNECT_SECONDS

_PAUSE_SECONDS: Final = 0.1
# A server that vanished without closing its connections is found by a query only.
_CHECK_SECONDS: Final = 1.0


class ServerConnectionMixin(BaseDatabaseWrapper):
    """A connection whose health is seen at its socket, and that waits for a server to restart."""

    _checked_at = float("-inf")

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; try again for CONNECT_SECONDS, since a server that restarts refuses.

        Raises the driver's OperationalError if the last attempt fails.
        """
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                return super().get_new_connection(conn_params)
            except self.Database.OperationalError:  # type: ignore[attr-defined]  # of the driver
                if time.monotonic() + _PAUSE_SECONDS >= deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)

    def is_usable(self) -> bool:
        """Return whether the connection works; ask the server at most once a second.

        In between, it works if the server has sent nothing: one that closes a connection says so,
        and its system closes the socket of one that was killed.
        """
        now = time.monotonic()
        is_recent = now - self._checked_at < _CHECK_SECONDS
        if is_recent and not self.errors_occurred and self._is_silent():
            return True
        self._checked_at = now
        return super().is_usable()

    def _is_silent(self) -> bool:
        """Return whether nothing was received on an open socket: no data, no end, no error."""
        try:
            socket = self.connection.fileno()
        except self.Database.Error:  # type: ignore[attr-defined]  # this side has closed it
            return False
        poll = select.poll()
        poll.register(socket, select.POLLIN)
        return not poll.poll(0)
