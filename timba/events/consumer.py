"""The reference consumer: what a program does to take each event exactly once.

Delivery is at least once and in order per key: the first occurrences of a key's events come in
the order of their numbers, and everything else is a repeat. So it is enough to keep the last
(epoch, number) of each key, best beside what the key's row has become in the consumer's own
database. The epoch rises when Timba is restored from a backup and counts on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from django.conf import settings

from timba.errors import NotFound, Unavailable
from timba.events.history import events_after
from timba.events.messages import Message, build_message
from timba.events.models import Stream

_LOOK_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 10
_BATCH: Final = 500
_SILENT: Final = "Kafka does not answer: look at KAFKA_BOOTSTRAP_SERVERS."


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedEvent:
    """An event as it arrived from a broker."""

    id: str
    client_id: int
    epoch: int
    sequence: int
    topic: str
    key: str
    type: str
    time: str
    request_id: str
    value: dict[str, Any]


class Deduplicator:
    """Remembers what has been taken, and lets each event pass once."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def accept(self, message: Message) -> ReceivedEvent | None:
        """Return the event, or None where it is a repeat."""
        event = parse_message(message)
        place, number = (event.topic, event.key), (event.epoch, event.sequence)
        if number <= self._last.get(place, (0, 0)):
            return None
        self._last[place] = number
        return event


def parse_message(message: Message) -> ReceivedEvent:
    """Read a message's headers and value."""
    headers = message.headers
    return ReceivedEvent(
        id=headers["ce_id"],
        client_id=int(headers["ce_clientid"]),
        epoch=int(headers["ce_epoch"]),
        sequence=int(headers["ce_sequence"]),
        topic=message.topic,
        key=message.key,
        type=headers["ce_type"],
        time=headers["ce_time"],
        request_id=headers["ce_requestid"],
        value=orjson.loads(message.value),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """Which events to read: a topic's, of one client or of all, with numbers above `after`.

    Who follows is also given those that come later, without an end.
    """

    topic: str
    after: int = 0
    client_id: int | None = None
    follow: bool = False


def read_outbox(wanted: EventFilter) -> Iterator[Message]:
    """Yield what the outbox holds, each client's in order.

    Reading goes by each client's own running number: the ids of the rows do not follow the
    commits, so that reading on from the last id would skip some.
    """
    upto: dict[int, int] = {}
    streams = Stream.objects.order_by("client_id").values_list("client_id", "last_sequence")
    if wanted.client_id is not None:
        streams = streams.filter(client_id=wanted.client_id)
    while True:
        for client, last in streams.all():
            position = upto.get(client, wanted.after)
            while position < last:
                chapter = events_after(
                    client_id=client, after=position, topic=wanted.topic, limit=_BATCH
                )
                yield from map(build_message, chapter.events)
                position = chapter.position
            upto[client] = position
        if not wanted.follow:
            return
        time.sleep(_LOOK_SECONDS)


def read_kafka(wanted: EventFilter) -> Iterator[Message]:
    """Yield what Kafka holds, each partition's in order.

    Raises Unavailable when no broker answers, NotFound when it knows no such topic.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS,
            # Required, but never used: every run reads from the beginning and commits nothing.
            "group.id": "timba-consume",
            "enable.auto.commit": False,
            "enable.partition.eof": not wanted.follow,
        }
    )
    try:
        unread = _partitions(consumer, wanted.topic)
        consumer.assign([TopicPartition(wanted.topic, p, OFFSET_BEGINNING) for p in unread])
        heard_at = time.monotonic()
        while unread:
            record = consumer.poll(_LOOK_SECONDS)
            if record is None:
                if not wanted.follow and time.monotonic() - heard_at > _PATIENCE_SECONDS:
                    raise Unavailable(_SILENT)
                continue
            heard_at = time.monotonic()
            error = record.error()
            if error is None:
                message = _message(record)
                if _is_wanted(message, wanted):
                    yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                unread.discard(record.partition())
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> set[int]:
    try:
        found = consumer.list_topics(topic, timeout=_PATIENCE_SECONDS).topics[topic]
    except KafkaException as error:
        raise Unavailable(_SILENT) from error
    if not found.partitions:
        raise NotFound(f"Kafka has no topic {topic} yet.")
    return set(found.partitions)


def _is_wanted(message: Message, wanted: EventFilter) -> bool:
    client_id, sequence = (int(message.headers[name]) for name in ("ce_clientid", "ce_sequence"))
    return sequence > wanted.after and wanted.client_id in (None, client_id)


def _message(record: KafkaMessage) -> Message:
    return Message(
        topic=record.topic() or "",
        key=(record.key() or b"").decode(),
        value=record.value() or b"",
        headers={name: value.decode() for name, value in _headers(record)},
    )


def _headers(record: KafkaMessage) -> list[tuple[str, bytes]]:
    return cast("list[tuple[str, bytes]]", record.headers() or [])
