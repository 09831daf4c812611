"""Publishers: the interface of the relay to a broker, its Kafka implementation, and a fake.

A publisher keeps the order of each key's messages: once one has failed, later ones of its key fail
too or are delivered after it.
"""

from __future__ import annotations

import enum
import logging
import math
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from django.conf import settings
from django.utils.module_loading import import_string

from timba.events.messages import Message


class Delivery(enum.Enum):
    """The outcome of delivering a message."""

    ACKED = enum.auto()
    # It may or may not have been delivered: it must be delivered again.
    UNCERTAIN = enum.auto()
    # The broker rejects it permanently: it is too large.
    REJECTED = enum.auto()


class Publisher(Protocol):
    """The relay's interface to a broker."""

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        """Deliver the messages, and return their outcomes in the same order.

        Returns within about `timeout` seconds and raises nothing: while the broker is unavailable,
        every outcome is UNCERTAIN.
        """

    def close(self) -> None:
        """Discard messages in flight, and return at once."""


def open_publisher() -> Publisher | None:
    """Return a new publisher of the class `TIMBA_EVENT_PUBLISHER`, or None if it is empty."""
    if not settings.TIMBA_EVENT_PUBLISHER:
        return None
    publisher: Publisher = import_string(settings.TIMBA_EVENT_PUBLISHER).from_settings()
    return publisher


class MemoryPublisher:
    """A fake that stores delivered messages in `log`, and fails on demand."""

    def __init__(self, *, max_bytes: int = 1_000_000) -> None:
        self.log: list[Message] = []
        self.unavailable = False
        # Keys whose messages are delivered but whose acknowledgement is lost.
        self.unacknowledged_keys: set[str] = set()
        self._max_bytes = max_bytes

    @classmethod
    def from_settings(cls) -> Self:
        return cls()

    def deliver(
        self,
        messages: Sequence[Message],
        *,
        timeout: float,  # noqa: ARG002 - delivery to memory is immediate
    ) -> list[Delivery]:
        stopped: set[tuple[str, str]] = set()
        return [self._deliver_one(message, stopped) for message in messages]

    def close(self) -> None:
        """Do nothing: no message is ever in flight."""

    def _deliver_one(self, message: Message, stopped: set[tuple[str, str]]) -> Delivery:
        topic_key = (message.topic, message.key)
        if self.unavailable or topic_key in stopped:
            return Delivery.UNCERTAIN
        if len(message.value) > self._max_bytes:
            stopped.add(topic_key)
            return Delivery.REJECTED
        self.log.append(message)
        return Delivery.UNCERTAIN if message.key in self.unacknowledged_keys else Delivery.ACKED


class RateLimitFilter(logging.Filter):
    """Passes each warning of librdkafka once a minute: during an outage every producer repeats it.

    The warning that gapless delivery is experimental is dropped.
    """

    # What differs between the warnings of one cause: the producer's number, and the time in
    # milliseconds after which a connection failed.
    _varying = re.compile(r"producer-\d+|\(after .*")

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = self._varying.sub("", record.getMessage())
        now = time.monotonic()
        if "enable.gapless.guarantee" in text or now - self._logged_at.get(text, -math.inf) < 60:
            return False
        self._logged_at = {logged: at for logged, at in self._logged_at.items() if now - at < 60}
        self._logged_at[text] = now
        return True


_kafka_log: Final = logging.getLogger("timba.events.kafka")
_kafka_log.addFilter(RateLimitFilter())
_POLL_SECONDS: Final = 0.1


def producer_settings(bootstrap_servers: str) -> dict[str, str | int | bool]:
    """Return librdkafka's settings of a producer that keeps the order of each key without gaps."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "timba-relay",
        "acks": "all",
        "enable.idempotence": True,
        # Stop at the first rejected batch. By default the next one is sent, and so a key's later
        # events before its earlier ones.
        "enable.gapless.guarantee": True,
        # Never drop a message and send the next; `deliver` limits the wait itself.
        "message.timeout.ms": 0,
        # The default of Java producers: every producer maps a key to the same partition.
        "partitioner": "murmur2_random",
    }


class KafkaPublisher:
    """A Kafka producer that keeps the order of each key without gaps.

    It uses no transactions: duplicates are harmless, gaps are not. After a failed delivery its
    state is unknown, so it must be closed and replaced.
    """

    def __init__(self, *, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._topics: set[str] = set()
        self._producer = Producer(producer_settings(bootstrap_servers), logger=_kafka_log)

    @classmethod
    def from_settings(cls) -> Self:
        return cls(bootstrap_servers=settings.KAFKA_BOOTSTRAP_SERVERS)

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        deadline = time.monotonic() + timeout
        outcomes = [Delivery.UNCERTAIN] * len(messages)
        try:
            self._create_missing_topics({message.topic for message in messages}, deadline)
            self._send(messages, outcomes)
        except (KafkaException, BufferError) as error:
            _kafka_log.warning("Kafka did not take a batch: %s", error)
        while len(self._producer) and time.monotonic() < deadline:
            # A fatal error is raised once; the delivery reports still follow.
            with suppress(KafkaException):
                self._producer.poll(_POLL_SECONDS)
        return outcomes

    def close(self) -> None:
        self._producer.purge()
        with suppress(KafkaException):
            self._producer.poll(0)

    def _send(self, messages: Sequence[Message], outcomes: list[Delivery]) -> None:
        stopped: set[tuple[str, str]] = set()
        for position, message in enumerate(messages):
            topic_key = (message.topic, message.key)
            if topic_key in stopped:
                continue
            try:
                self._producer.produce(
                    message.topic,
                    key=message.key,
                    value=message.value,
                    headers=dict(message.headers),
                    on_delivery=partial(_record_outcome, outcomes, position),
                )
            except KafkaException as error:
                if not _is_too_large(error.args[0]):
                    raise
                stopped.add(topic_key)
                outcomes[position] = Delivery.REJECTED

    def _create_missing_topics(self, names: set[str], deadline: float) -> None:
        """Create topics with the broker's defaults for partitions and replicas."""
        if names <= self._topics:
            return
        known = self._producer.list_topics(timeout=_remaining(deadline)).topics
        missing = names - known.keys()
        if missing:
            _create_topics(self._servers, missing, timeout=_remaining(deadline) / 2)
        self._topics |= names


def _create_topics(servers: str, names: Iterable[str], *, timeout: float) -> None:
    """Create topics; if that is not permitted, the broker may still create them automatically."""
    admin = AdminClient({"bootstrap.servers": servers}, logger=_kafka_log)
    futures = admin.create_topics(
        [NewTopic(name) for name in sorted(names)],
        request_timeout=timeout,
        operation_timeout=timeout,
    )
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                _kafka_log.warning("topic %s could not be created: %s", name, error)


def _record_outcome(
    outcomes: list[Delivery], position: int, error: KafkaError | None, _message: object
) -> None:
    if error is None:
        outcomes[position] = Delivery.ACKED
    elif _is_too_large(error) and len(outcomes) == 1:
        # A broker rejects a larger batch as a whole, without naming the message.
        outcomes[position] = Delivery.REJECTED


def _is_too_large(error: KafkaError) -> bool:
    return error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def _remaining(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
