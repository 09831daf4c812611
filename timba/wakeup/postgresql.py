"""Wake-ups by PostgreSQL's LISTEN and NOTIFY, which reach every machine with the same database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import structlog
from django.db import DEFAULT_DB_ALIAS, connection, connections

_CHECK_SECONDS: Final = 0.5
# Without waiting for the disk: a notification is not worth a second sync of the log.
_NOTIFY: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, '')"
_log = structlog.get_logger(__name__)


def notify(name: str) -> None:
    """Notify through the connection of this thread, in a transaction of its own after a commit."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_NOTIFY, [_channel(name)])
    except Exception as error:  # noqa: BLE001 - the change is committed, and polling finds it
        _log.warning("notification_failed", reason=str(error).strip())


def receive(name: str) -> Iterator[bool]:
    """Yield True once connected and after notifications, and False in between."""
    database: Any = connections[DEFAULT_DB_ALIAS].copy()
    with closing(database):
        database.connect()
        database.connection.execute(f'LISTEN "{_channel(name)}"')
        yield True
        while True:
            yield any(database.connection.notifies(timeout=_CHECK_SECONDS, stop_after=1))


def _channel(name: str) -> str:
    return f"timba_{name}"
