"""Kafka and the fake fail alike; Kafka keeps the order of each key, without gaps."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.events.kafka import MockKafka, read_topic
from timba.events import publishers
from timba.events.consumer import EventFilter, read_kafka
from timba.events.messages import Message
from timba.events.publishers import (
    Delivery,
    KafkaPublisher,
    MemoryPublisher,
    Publisher,
    open_publisher,
)

TOPIC = "note_events"
ACKED, UNCERTAIN, REJECTED = Delivery.ACKED, Delivery.UNCERTAIN, Delivery.REJECTED


def message(key: str, text: str = "{}") -> Message:
    headers = {
        "ce_id": f"{key}-{text[:9]}",
        "ce_type": "timba.note.created",
        "ce_time": "2026-03-04T05:06:07Z",
        "ce_sequence": "1",
        "ce_epoch": "1",
        "ce_requestid": "",
        "ce_clientid": "1",
        "content-type": "application/json",
    }
    return Message(topic=TOPIC, key=key, value=text.encode(), headers=headers)


@pytest.fixture(params=["memory", "kafka"])
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    """Return each publisher in turn, ready to deliver to `TOPIC`."""
    if request.param == "memory":
        yield MemoryPublisher()
        return
    broker: MockKafka = request.getfixturevalue("kafka")
    broker.create_topic(TOPIC)
    producer = KafkaPublisher.from_settings()
    yield producer
    producer.close()


def arrived() -> list[Message]:
    return list(read_kafka(EventFilter(topic=TOPIC)))


def test_delivered_messages_are_acknowledged(publisher: Publisher) -> None:
    assert publisher.deliver([message("1"), message("2")], timeout=60) == [ACKED, ACKED]
    assert publisher.deliver([], timeout=60) == []


def test_message_that_is_too_large_is_refused_and_stops_its_key_only(publisher: Publisher) -> None:
    batch = [message("a"), message("a", "x" * 1_000_001), message("a"), message("b")]
    assert publisher.deliver(batch, timeout=60) == [ACKED, REJECTED, UNCERTAIN, ACKED]


def test_settings_name_the_publisher(settings: Settings) -> None:
    settings.TIMBA_EVENT_PUBLISHER = ""
    assert open_publisher() is None
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.MemoryPublisher"
    assert isinstance(open_publisher(), MemoryPublisher)


def test_kafka_gets_topic_key_value_and_headers(kafka: MockKafka) -> None:
    kafka.create_topic(TOPIC)
    publisher = KafkaPublisher.from_settings()
    sent = [message("1", '{"action":"create","note":{"title":"Ä"}}'), message("2")]
    assert publisher.deliver(sent, timeout=60) == [ACKED, ACKED]
    publisher.close()
    assert sorted(arrived(), key=lambda m: m.key) == sent


# Java's murmur2 of the keys, as its own tests give them: the partition is (hash & 0x7fffffff) % n.
@pytest.mark.parametrize(
    ("key", "murmur2"), [("kafka", 0xD067CF64), ("giberish123456789", 0x8F552B0C)]
)
def test_key_is_mapped_to_the_partition_of_java_producers(
    kafka: MockKafka, key: str, murmur2: int
) -> None:
    kafka.create_topic(TOPIC, partitions=7)
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message(key)], timeout=60) == [ACKED]
    publisher.close()
    [record] = read_topic(kafka.servers, TOPIC)
    assert record.partition == (murmur2 & 0x7FFFFFFF) % 7


def test_after_a_rejected_batch_nothing_else_is_sent(kafka: MockKafka) -> None:
    kafka.create_topic(TOPIC, partitions=1)
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message("warm")], timeout=60) == [ACKED]
    kafka.reject_next_batch()
    # Two batches for the broker: one takes a megabyte at most.
    batch = [message("a", "x" * 700_000), message("a", "y" * 700_000)]
    assert publisher.deliver(batch, timeout=60) == [UNCERTAIN, UNCERTAIN]
    publisher.close()
    assert [m.key for m in arrived()] == ["warm"]


def test_a_message_rejected_alone_is_refused(kafka: MockKafka) -> None:
    kafka.create_topic(TOPIC)
    kafka.reject_next_batch()
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message("a")], timeout=60) == [REJECTED]
    publisher.close()


def test_kafka_outage_and_recovery(kafka: MockKafka) -> None:
    kafka.create_topic(TOPIC)
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message("a", "1")], timeout=60) == [ACKED]
    kafka.stop()
    assert _ended(lambda: publisher.deliver([message("a", "2")], timeout=1)) == [UNCERTAIN]
    _ended(publisher.close)
    kafka.resume()
    fresh = KafkaPublisher.from_settings()
    assert fresh.deliver([message("a", "2"), message("a", "3")], timeout=60) == [ACKED, ACKED]
    fresh.close()
    assert [m.value for m in arrived()] == [b"1", b"2", b"3"]


def test_closed_publisher_sends_nothing_late(kafka: MockKafka) -> None:
    kafka.create_topic(TOPIC)
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message("a", "1")], timeout=60) == [ACKED]
    kafka.stop()
    assert publisher.deliver([message("a", "2")], timeout=0.2) == [UNCERTAIN]
    publisher.close()
    kafka.resume()
    time.sleep(2)
    assert [m.value for m in arrived()] == [b"1"]


def test_unresponsive_server_blocks_no_longer_than_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = KafkaPublisher(bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}")
        assert _ended(lambda: publisher.deliver([message("a")], timeout=1)) == [UNCERTAIN]
        _ended(publisher.close)


def test_repeated_warnings_of_producers_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{closed.getsockname()[1]}"
        for _ in range(3):
            publisher = KafkaPublisher(bootstrap_servers=servers)
            assert publisher.deliver([message("a")], timeout=0.5) == [UNCERTAIN]
            publisher.close()
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if servers in line]) == 1
    assert len([line for line in lines if "Kafka did not take a batch" in line]) <= 1
    assert not [line for line in lines if "experimental" in line]


def test_topic_that_cannot_be_created_is_left_to_the_broker(
    kafka: MockKafka, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The mock cluster knows no admin requests, and makes a topic when it is first written to.
    create = publishers._create_topics
    monkeypatch.setattr(
        publishers,
        "_create_topics",
        lambda servers, names, *, timeout: create(servers, names, timeout=timeout / 100),
    )
    publisher = KafkaPublisher.from_settings()
    assert publisher.deliver([message("a")], timeout=60) == [ACKED]
    publisher.close()
    assert "topic note_events could not be created" in caplog.text
    assert [m.key for m in arrived()] == ["a"]


def _ended(do: Callable[[], object]) -> object:
    """Return what comes of it, which must not take for ever."""
    came: list[object] = []
    thread = threading.Thread(target=lambda: came.append(do()), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return came[0]
