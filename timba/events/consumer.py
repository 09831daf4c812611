"""The reference consumer: it shows how a program processes each event exactly once.

Delivery is at least once and in order per key: the first deliveries of a key's events come in the
order of their sequence numbers, and all others are duplicates. So a consumer needs to store only
the last (epoch, sequence) of each key, in the same transaction as the effect of the event. The
epoch rises when Timba is restored from a backup, from which the numbers continue.
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
from timba.events.history import Restored, check_epoch, events_after
from timba.events.messages import Message, build_message
from timba.events.models import Stream

_POLL_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 10
_BATCH_SIZE: Final = 500
_NO_RESPONSE: Final = "Kafka does not answer: look at KAFKA_BOOTSTRAP_SERVERS."


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedEvent:
    """An event that was read from a message."""

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
    """Passes each event once; it remembers the last (epoch, sequence) of each key."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}

    def accept(self, message: Message) -> ReceivedEvent | None:
        """Return the event of a message, or None for a duplicate."""
        event = parse_message(message)
        key, number = (event.topic, event.key), (event.epoch, event.sequence)
        if number <= self._last.get(key, (0, 0)):
            return None
        self._last[key] = number
        return event


def parse_message(message: Message) -> ReceivedEvent:
    """Return the event in a message's headers and value."""
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
    """Which events to read: those of a topic with numbers above `after`.

    With `epoch`, the one in which events up to `after` were read, those of later epochs are read
    too, whatever their numbers. `client_id` selects the events of one client; None, of all. With
    `follow`, later events are yielded too, without end.
    """

    topic: str
    after: int = 0
    epoch: int | None = None
    client_id: int | None = None
    follow: bool = False


def read_outbox(event_filter: EventFilter) -> Iterator[Message]:
    """Yield messages of the outbox, those of each client in order.

    Reads by each client's sequence number: rows are not committed in the order of their ids, so
    that reading on from the last id could skip some.
    """
    positions: dict[int, int] = {}
    streams = Stream.objects.order_by("client_id").values_list("client_id", "last_sequence")
    if event_filter.client_id is not None:
        streams = streams.filter(client_id=event_filter.client_id)
    while True:
        for client, last in streams.all():
            position = positions[client] if client in positions else _start(client, event_filter)
            while position < last:
                page = events_after(
                    client_id=client, after=position, topic=event_filter.topic, limit=_BATCH_SIZE
                )
                yield from map(build_message, page.events)
                position = page.position
            positions[client] = position
        if not event_filter.follow:
            return
        time.sleep(_POLL_SECONDS)


def _start(client_id: int, event_filter: EventFilter) -> int:
    """Return the number of the last event to leave out."""
    if event_filter.epoch is None:
        return event_filter.after
    try:
        check_epoch(client_id=client_id, epoch=event_filter.epoch, after=event_filter.after)
    except Restored as restored:
        return restored.position
    return event_filter.after


def read_kafka(event_filter: EventFilter) -> Iterator[Message]:
    """Yield messages of Kafka, those of each partition in order.

    Raises Unavailable if no broker responds, and NotFound if the topic does not exist.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS,
            # Required by the library; every run reads from the beginning and commits no offset.
            "group.id": "timba-consume",
            "enable.auto.commit": False,
            "enable.partition.eof": not event_filter.follow,
        }
    )
    try:
        unread = _partitions(consumer, event_filter.topic)
        consumer.assign([TopicPartition(event_filter.topic, p, OFFSET_BEGINNING) for p in unread])
        last_response_at = time.monotonic()
        while unread:
            record = consumer.poll(_POLL_SECONDS)
            if record is None:
                if (
                    not event_filter.follow
                    and time.monotonic() - last_response_at > _TIMEOUT_SECONDS
                ):
                    raise Unavailable(_NO_RESPONSE)
                continue
            last_response_at = time.monotonic()
            error = record.error()
            if error is None:
                message = _message(record)
                if _matches(message, event_filter):
                    yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                unread.discard(record.partition())
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> set[int]:
    try:
        metadata = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
    except KafkaException as error:
        raise Unavailable(_NO_RESPONSE) from error
    if not metadata.partitions:
        raise NotFound(f"Kafka has no topic {topic} yet.")
    return set(metadata.partitions)


def _matches(message: Message, event_filter: EventFilter) -> bool:
    names = ("ce_clientid", "ce_epoch", "ce_sequence")
    client_id, epoch, sequence = (int(message.headers[name]) for name in names)
    if event_filter.client_id not in (None, client_id):
        return False
    if event_filter.epoch is None:
        return sequence > event_filter.after
    return (epoch, sequence) > (event_filter.epoch, event_filter.after)


def _message(record: KafkaMessage) -> Message:
    return Message(
        topic=record.topic() or "",
        key=(record.key() or b"").decode(),
        value=record.value() or b"",
        headers={name: value.decode() for name, value in _headers(record)},
    )


def _headers(record: KafkaMessage) -> list[tuple[str, bytes]]:
    return cast("list[tuple[str, bytes]]", record.headers() or [])
