"""Wakes up processes that wait for work, also on other machines.

A notification has no content: the database holds the work. A lost one costs a polling interval,
never work. It travels by LISTEN and NOTIFY with PostgreSQL, otherwise by Redis where the broker or
the cache is one; without either, all processes are on one machine, and it is a datagram.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from timba.wakeup import datagrams, postgresql, redis
from timba.wakeup.subscription import SharedListener


def notify(name: str) -> None:
    """Wake every listener of `name`; never raise, and wait for no server that does not answer."""
    if _uses_postgresql():
        postgresql.notify(name)
    elif url := _redis_url():
        redis.notify(url, name)
    else:
        datagrams.notify(name)


class Listener:
    """Receives the notifications of one name."""

    def __init__(self, name: str) -> None:
        self._listener: datagrams.DatagramListener | SharedListener
        if _uses_postgresql():
            self._listener = SharedListener(name, postgresql.receive)
        elif url := _redis_url():
            self._listener = SharedListener(name, redis.receiver(url))
        else:
            self._listener = datagrams.DatagramListener(name)

    def wait(self, seconds: float) -> None:
        """Return when notified, or after `seconds`; pending notifications count as one."""
        self._listener.wait(seconds)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _uses_postgresql() -> bool:
    return connection.vendor == "postgresql"


def _redis_url() -> str:
    """Return the address of the broker or the cache if it is Redis, else an empty string."""
    locations = (settings.BROKER_URL, settings.CACHES["default"].get("LOCATION", ""))
    return next((url for url in locations if str(url).startswith(("redis://", "rediss://"))), "")
