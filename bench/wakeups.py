"""What wake-ups cost a write, and how soon they wake the relay, on PostgreSQL.

    tools/services run --durable postgres -- .venv/bin/python bench/wakeups.py

Compare ratios: absolute times mean nothing on shared machines. The bar is absolute: how
long an event may wait.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
sys.path.insert(0, str(_ROOT))

import django

django.setup()
logging.disable(logging.WARNING)

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.events.messages import Message
from timba.events.outbox import Event, publish
from timba.events.publishers import Delivery, MemoryPublisher
from timba.events.relay import Relay

WRITES: Final = 400
_BAR_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.02


class TimedPublisher(MemoryPublisher):
    """Notes when each message is delivered, by its key."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered: dict[str, float] = {}

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        outcomes = super().deliver(messages, timeout=timeout)
        self.delivered |= dict.fromkeys((message.key for message in messages), time.perf_counter())
        return outcomes


def main() -> None:
    """Print the cost of a notification and the delay until delivery, each as a ratio.

    Exit with status 1 if the 99th percentile of the delay misses the bar.
    """
    if connection.vendor != "postgresql":
        print("  skipped: it needs PostgreSQL, see its first lines")
        return
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    # Alternately, because other work on the machine varies.
    silent, notifying = [], []
    for number in range(WRITES):
        silent.append(seconds_of_write(client, f"silent {number}", publisher=""))
        notifying.append(seconds_of_write(client, f"notifying {number}", publisher="any"))
    write = statistics.median(silent)
    print_ratio("a write with its notification", statistics.median(notifying), write)
    delays = sorted(delivery_delays(client))
    print_ratio("insert → delivered, median", statistics.median(delays), write)
    p99 = delays[len(delays) * 99 // 100]
    print_ratio("insert → delivered, 99 %", p99, write)
    is_missed = p99 > _BAR_SECONDS
    print(f"    at most {_BAR_SECONDS * 1000:.0f} ms: {'missed' if is_missed else 'met'}")
    sys.exit(is_missed)


def seconds_of_write(client: Client, key: str, *, publisher: str) -> float:
    """Return the seconds of a transaction with an event; relays are notified if one publishes."""
    settings.TIMBA_EVENT_PUBLISHER = publisher
    begin = time.perf_counter()
    with transaction.atomic():
        publish(
            Event(
                noun="note", action="create", key=key, body={}, client_id=client.pk, actor_id=None
            )
        )
    return time.perf_counter() - begin


def delivery_delays(client: Client) -> list[float]:
    """Return the seconds from the begin of each write until a relay has delivered its event."""
    publisher = TimedPublisher()
    relay = Relay(open_publisher=lambda: publisher)
    thread = threading.Thread(target=relay.run)
    thread.start()
    wait_until(lambda: len(publisher.delivered) == 2 * WRITES)
    begins = {}
    for number in range(WRITES):
        key = f"delivered {number}"
        begins[key] = time.perf_counter()
        seconds_of_write(client, key, publisher="any")
        time.sleep(_PAUSE_SECONDS)
    wait_until(lambda: begins.keys() <= publisher.delivered.keys())
    relay.stop()
    thread.join()
    return [publisher.delivered[key] - begin for key, begin in begins.items()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without keeping the relay from its work."""
    while not condition():
        time.sleep(_PAUSE_SECONDS)


def print_ratio(what: str, seconds: float, write: float) -> None:
    """Print the seconds as a multiple of those of a write."""
    print(f"  {what}: {seconds * 1000:.2f} ms, {seconds / write:.2f} × a write without one")


if __name__ == "__main__":
    main()
