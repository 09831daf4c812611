"""Events from the outbox to Kafka, against a bare loop that produces the same messages.

    tools/services run --durable postgres kafka -- .venv/bin/python bench/events.py

The database is that of `DATABASE_URL`, or a new SQLite one. Both are measured in turn on the same
broker, with the same keys, values, headers and settings of the producer: the loop only waits for
the acknowledgements, while the relay also reads rows in order and marks them as published.
Prints events per second and the median of the rounds' ratios. `bench/wakeups.py` measures how long
one event takes.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
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

from confluent_kafka import Producer
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.forms import model_to_dict

from timba.accounts.models import User
from timba.accounts.services import open_client
from timba.events.leased_process import CycleResult
from timba.events.messages import Message, build_message
from timba.events.models import OutboxEvent, Stream
from timba.events.outbox import Event, publish
from timba.events.publishers import open_publisher, producer_settings
from timba.events.relay import Relay

EVENTS: Final = 20_000
ROUNDS: Final = 5
_KEYS: Final = 500
_BAR: Final = 0.35
_TIMEOUT_SECONDS: Final = 60


def main() -> None:
    """Print both rates and their ratio; exit with status 1 if it misses the bar."""
    if not settings.KAFKA_BOOTSTRAP_SERVERS:
        print("  skipped: it needs Kafka, see its first lines")
        return
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    relay = Relay(open_publisher=open_publisher)
    write_events(client.pk)
    messages = [build_message(event) for event in OutboxEvent.objects.order_by("pk")[:EVENTS]]
    relay_all(relay)  # creates the topic and takes the lease
    bare, relayed = [], []
    for _ in range(ROUNDS):
        bare.append(EVENTS / seconds_of_bare_loop(messages))
        write_events(client.pk)
        count = OutboxEvent.objects.unpublished().count()
        relayed.append(count / relay_all(relay))
    relay.close()
    ratio = statistics.median(one / other for one, other in zip(relayed, bare, strict=True))
    print(f"  {connection.vendor}, {EVENTS} events, medians of {ROUNDS} rounds")
    print(f"  a bare produce loop: {statistics.median(bare):.0f} events/s")
    print(
        f"  outbox → broker: {statistics.median(relayed):.0f} events/s, {ratio:.2f} × the loop; "
        f"the bar is ≥ {_BAR} ×: {'met' if ratio >= _BAR else 'missed'}"
    )
    sys.exit(ratio < _BAR)


def write_events(client_id: int) -> None:
    """Write the events of one round to the outbox, with the columns that `publish` fills in."""
    with transaction.atomic():
        publish(
            Event(
                noun="note",
                action="create",
                key="note-0",
                body={"id": 1, "title": "Seal intact", "content": "Counted at the gate."},
                client_id=client_id,
                actor_id=None,
            )
        )
        first = OutboxEvent.objects.latest("id")
        columns = model_to_dict(first, exclude=["id", "key", "sequence"]) | {"time": first.time}
        OutboxEvent.objects.bulk_create(
            [
                OutboxEvent(
                    **columns, key=f"note-{number % _KEYS}", sequence=first.sequence + number
                )
                for number in range(1, EVENTS)
            ],
            batch_size=1_000,
        )
        Stream.objects.filter(client_id=client_id).update(last_sequence=first.sequence + EVENTS - 1)


def relay_all(relay: Relay) -> float:
    """Return the seconds in which the relay publishes everything that waits."""
    begin = time.perf_counter()
    while (result := relay.run_once()) is CycleResult.MOVED:
        pass
    assert result is CycleResult.IDLE, result
    return time.perf_counter() - begin


def seconds_of_bare_loop(messages: Sequence[Message]) -> float:
    """Return the seconds in which a producer with the relay's settings sends the messages."""
    producer = Producer(
        producer_settings(settings.KAFKA_BOOTSTRAP_SERVERS),
        logger=logging.getLogger("timba.events.kafka"),
    )
    producer.list_topics(timeout=_TIMEOUT_SECONDS)  # connects
    begin = time.perf_counter()
    for message in messages:
        producer.produce(
            message.topic,
            key=message.key,
            value=message.value,
            headers=[(name, text.encode()) for name, text in message.headers.items()],
        )
    assert producer.flush(_TIMEOUT_SECONDS) == 0
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
