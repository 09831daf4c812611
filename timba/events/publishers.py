"""Where the relay hands messages over: its small interface, Kafka behind it, and the fake.

A publisher never lets a key's later message overtake an earlier one: once one of them has failed,
those behind it in its key fail too or come only after it.
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
    """What became of a message."""

    ACKED = enum.auto()
    # Perhaps delivered, perhaps not: it has to be delivered again.
    UNCERTAIN = enum.auto()
    # It would be refused as often as it were delivered, for it is too large.
    REFUSED = enum.auto()


class Publisher(Protocol):
    """A broker, as far as the relay knows one."""

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        """Hand over the messages and return, by position, what became of them.

        Returns within about `timeout` seconds and raises nothing: a broker that is away leaves
        every message UNCERTAIN.
        """

    def close(self) -> None:
        """Forget what is still under way, and return at once."""


def open_publisher() -> Publisher | None:
    """Return the publisher that `TIMBA_EVENT_PUBLISHER` names; None where it names none."""
    if not settings.TIMBA_EVENT_PUBLISHER:
        return None
    publisher: Publisher = import_string(settings.TIMBA_EVENT_PUBLISHER).from_settings()
    return publisher


class MemoryPublisher:
    """Keeps what was delivered in `log`, and fails as it is told to."""

    def __init__(self, *, max_bytes: int = 1_000_000) -> None:
        self.log: list[Message] = []
        self.unavailable = False
        # Keys whose messages arrive while the acknowledgement is lost.
        self.unacknowledged_keys: set[str] = set()
        self._max_bytes = max_bytes

    @classmethod
    def from_settings(cls) -> Self:
        return cls()

    def deliver(
        self,
        messages: Sequence[Message],
        *,
        timeout: float,  # noqa: ARG002 - memory keeps nobody waiting
    ) -> list[Delivery]:
        stopped: set[tuple[str, str]] = set()
        return [self._deliver_one(message, stopped) for message in messages]

    def close(self) -> None:
        """Nothing is ever under way."""

    def _deliver_one(self, message: Message, stopped: set[tuple[str, str]]) -> Delivery:
        place = (message.topic, message.key)
        if self.unavailable or place in stopped:
            return Delivery.UNCERTAIN
        if len(message.value) > self._max_bytes:
            stopped.add(place)
            return Delivery.REFUSED
        self.log.append(message)
        return Delivery.UNCERTAIN if message.key in self.unacknowledged_keys else Delivery.ACKED


class RateLimitFilter(logging.Filter):
    """Lets each complaint through once a minute: while a broker is away, every producer makes it.

    That gapless delivery is experimental, which each says too, is known.
    """

    _varying = re.compile(r"producer-\d+|\(after .*")

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = self._varying.sub("", record.getMessage())
        now = time.monotonic()
        if "enable.gapless.guarantee" in text or now - self._said_at.get(text, -math.inf) < 60:
            return False
        self._said_at = {kept: at for kept, at in self._said_at.items() if now - at < 60}
        self._said_at[text] = now
        return True


_kafka_log: Final = logging.getLogger("timba.events.kafka")
_kafka_log.addFilter(RateLimitFilter())
_POLL_SECONDS: Final = 0.1


class KafkaPublisher:
    """A Kafka producer that keeps a key's order and skips nothing.

    It has no transactions: a repeat is harmless here, and a gap is not. After a failed delivery
    its state is unknown, so it must be closed and replaced.
    """

    def __init__(self, *, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._topics: set[str] = set()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": "timba-relay",
                "acks": "all",
                "enable.idempotence": True,
                # Stop at the first batch that a broker refuses; the default sends the next one,
                # and with it a key's later events before its earlier ones.
                "enable.gapless.guarantee": True,
                # Never give a message up and send the next: `deliver` bounds the wait itself.
                "message.timeout.ms": 0,
                # As Java's producers do it, so that a key has one partition whoever writes.
                "partitioner": "murmur2_random",
            },
            logger=_kafka_log,
        )

    @classmethod
    def from_settings(cls) -> Self:
        return cls(bootstrap_servers=settings.KAFKA_BOOTSTRAP_SERVERS)

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        deadline = time.monotonic() + timeout
        outcomes = [Delivery.UNCERTAIN] * len(messages)
        try:
            self._make_missing_topics({message.topic for message in messages}, deadline)
            self._send(messages, outcomes)
        except (KafkaException, BufferError) as error:
            _kafka_log.warning("Kafka did not take a batch: %s", error)
        while len(self._producer) and time.monotonic() < deadline:
            # A fatal failure is raised once, and the reports of the messages still come after it.
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
            place = (message.topic, message.key)
            if place in stopped:
                continue
            try:
                self._producer.produce(
                    message.topic,
                    key=message.key,
                    value=message.value,
                    headers=[(name, text.encode()) for name, text in message.headers.items()],
                    on_delivery=partial(_note, outcomes, position),
                )
            except KafkaException as error:
                if not _is_too_large(error.args[0]):
                    raise
                stopped.add(place)
                outcomes[position] = Delivery.REFUSED

    def _make_missing_topics(self, wanted: set[str], deadline: float) -> None:
        """Create topics with the broker's own defaults for partitions and copies."""
        if wanted <= self._topics:
            return
        known = self._producer.list_topics(timeout=_left(deadline)).topics
        missing = wanted - known.keys()
        if missing:
            _create_topics(self._servers, missing, patience=_left(deadline) / 2)
        self._topics |= wanted


def _create_topics(servers: str, names: Iterable[str], *, patience: float) -> None:
    """Make topics; where that is not allowed, the broker may still make them by itself."""
    admin = AdminClient({"bootstrap.servers": servers}, logger=_kafka_log)
    futures = admin.create_topics(
        [NewTopic(name) for name in sorted(names)],
        request_timeout=patience,
        operation_timeout=patience,
    )
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                _kafka_log.warning("topic %s could not be made: %s", name, error)


def _note(
    outcomes: list[Delivery], position: int, error: KafkaError | None, _message: object
) -> None:
    if error is None:
        outcomes[position] = Delivery.ACKED
    elif _is_too_large(error) and len(outcomes) == 1:
        # Of a larger batch, a broker refuses all and does not say which message was to blame.
        outcomes[position] = Delivery.REFUSED


def _is_too_large(error: KafkaError) -> bool:
    return error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
