"""Kafka for tests: a broker that rejects messages on command, and a reader of topics.

The broker is the mock cluster that librdkafka brings, in the test's own process, over real TCP. A
real broker can neither reject messages nor become unavailable on command.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

_PRODUCE: Final = 0
_UNKNOWN_TOPIC: Final = 3
_MESSAGE_TOO_LARGE: Final = 10
_TIMEOUT_SECONDS: Final = 60


class _Pointer(ctypes.c_void_p):
    """A pointer that stays one when it is passed on."""


def _library() -> ctypes.CDLL:
    beside = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(beside.glob("librdkafka*.so*"))))
    for name in ("conf_new", "new", "mock_cluster_new"):
        getattr(library, f"rd_kafka_{name}").restype = _Pointer
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockKafka:
    """One broker on a free loopback port."""

    def __init__(self) -> None:
        self._lib = _library()
        reason = ctypes.create_string_buffer(512)
        size = ctypes.c_size_t(512)
        self._client = self._lib.rd_kafka_new(0, self._lib.rd_kafka_conf_new(), reason, size)
        assert self._client, reason.value
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._client, 1)
        self.servers: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, *, partitions: int = 4) -> None:
        assert not self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)

    def reject_topic(self, name: str) -> None:
        """Know no such topic, and do not make it either."""
        self._lib.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), _UNKNOWN_TOPIC)

    def reject_next_batch(self) -> None:
        """Refuse the next produce request as too large, whole, as brokers do."""
        errors = (ctypes.c_int * 1)(_MESSAGE_TOO_LARGE)
        self._lib.rd_kafka_mock_push_request_errors_array(
            self._cluster, _PRODUCE, ctypes.c_size_t(len(errors)), errors
        )

    def stop(self) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def resume(self) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)


class Record(NamedTuple):
    """One record of a topic, as any client of Kafka gets it."""

    partition: int
    headers: dict[str, str]
    key: str
    value: dict[str, Any]


def read_topic(servers: str, topic: str) -> list[Record]:
    """Return every record of a topic, in order in each partition, without Timba's consumer."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "tests"})
    known = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
    partitions = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in known]
    bounds = [consumer.get_watermark_offsets(each, _TIMEOUT_SECONDS) for each in partitions]
    consumer.assign(partitions)
    count = sum(end - start for start, end in bounds)
    messages = consumer.consume(count, timeout=_TIMEOUT_SECONDS) if count else []
    consumer.close()
    return [
        Record(
            partition=message.partition(),
            headers={name: value.decode() for name, value in message.headers()},
            key=message.key().decode(),
            value=json.loads(message.value()),
        )
        for message in messages
    ]
