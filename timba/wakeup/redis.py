"""Wake-ups by Redis, for machines that share one but not a PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

import structlog

from timba.wakeup.subscription import Receive

if TYPE_CHECKING:
    from redis import Redis

_CHECK_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 1.0
# After a failure, nothing is sent for so long: writes must not wait for a silent server.
_PAUSE_SECONDS: Final = 10.0
_log = structlog.get_logger(__name__)


class _Publisher:
    """Publishes through one pool of connections, unless the server has just failed."""

    def __init__(self, url: str) -> None:
        self._client = _connect(url)
        self._paused_until = 0.0

    def publish(self, name: str) -> None:
        if time.monotonic() < self._paused_until:
            return
        try:
            self._client.publish(_channel(name), b"")
        except Exception as error:  # noqa: BLE001 - the change is committed, and polling finds it
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning("notification_failed", reason=str(error).strip())


_publisher = cache(_Publisher)


def notify(url: str, name: str) -> None:
    """Notify all machines that use this Redis."""
    _publisher(url).publish(name)


def receiver(url: str) -> Receive:
    """Return the function that receives from this Redis."""

    def receive(name: str) -> Iterator[bool]:
        """Yield True once connected and after notifications, and False in between."""
        with _connect(url) as client, client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(_channel(name))
            yield True
            while True:
                yield channel.get_message(timeout=_CHECK_SECONDS) is not None

    return receive


def _connect(url: str) -> Redis:
    # Without Redis, its client is not loaded.
    from redis import Redis  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return Redis.from_url(
        url,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), retries=0),
        # Notices a server that went away without closing the connection.
        health_check_interval=15,
    )


def _channel(name: str) -> str:
    return f"timba:wakeup:{name}"
