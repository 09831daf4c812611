"""`consume` prints events from either source; `relay` runs until it is stopped."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from tests.events.conftest import PublishEvents, make_event
from tests.events.kafka import MockKafka
from tests.journeys.processes import wait_until
from timba.events import consumer
from timba.events.consumer import Deduplicator, EventFilter, read_kafka, read_outbox
from timba.events.models import OutboxEvent, ProcessLease, Stream
from timba.events.publishers import KafkaPublisher, open_publisher
from timba.events.relay import Relay

Start = Callable[..., "Child"]


def consume(*arguments: str, **options: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("consume", *arguments, stdout=out, **options)
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def sequences(lines: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return sorted((line["client_id"], line["sequence"]) for line in lines)


@pytest.mark.django_db
def test_consume_prints_the_outbox(publish_events: PublishEvents) -> None:
    publish_events(
        make_event(key="1", client_id=3, text="Ä"), make_event(key="2", client_id=3, noun="file")
    )
    event = OutboxEvent.objects.get(key="1")
    assert consume("note_events") == [
        {
            "id": str(event.event_id),
            "client_id": 3,
            "epoch": 1,
            "sequence": 1,
            "topic": "note_events",
            "key": "1",
            "type": "timba.note.created",
            "time": event.time.isoformat().replace("+00:00", "Z"),
            "request_id": "",
            "value": {"action": "create", "note": {"id": "1", "title": "Ä"}},
        }
    ]


@pytest.fixture
def in_kafka(publish_events: PublishEvents, kafka: MockKafka) -> None:
    """Publish two notes of client 1, one of client 2 and a file; deliver the first one twice."""
    kafka.create_topic("note_events")
    kafka.create_topic("file_events")
    publish_events(
        make_event(key="1"), make_event(key="9", noun="file"), make_event(key="2", action="update")
    )
    publish_events(make_event(key="3", client_id=2))
    for _ in range(2):
        Relay(open_publisher=open_publisher).run_once()
        OutboxEvent.objects.filter(key="1").update(published_at=None)
        ProcessLease.objects.all().delete()


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("source", ["outbox", "kafka"])
def test_consume_filters_by_its_options(in_kafka: None, source: str) -> None:
    assert sequences(consume("note_events", source=source)) == [(1, 1), (1, 3), (2, 1)]
    assert sequences(consume("note_events", "--after=1", source=source)) == [(1, 3)]
    assert sequences(consume("note_events", source=source, client=2)) == [(2, 1)]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("source", ["outbox", "kafka"])
def test_consume_after_an_older_epoch_prints_the_numbers_used_again(
    in_kafka: None, publish_events: PublishEvents, source: str
) -> None:
    OutboxEvent.objects.filter(client_id=1, sequence=3).delete()
    Stream.objects.filter(client_id=1).update(last_sequence=2, epoch=2)
    publish_events(make_event(key="4"))
    Relay(open_publisher=open_publisher).run_once()
    options = {"source": source, "client": 1}
    assert sequences(consume("note_events", "--after=1.3", **options)) == [(1, 3)]
    assert consume("note_events", "--after=2.3", **options) == []


def test_consume_names_an_invalid_position() -> None:
    with pytest.raises(CommandError, match=r"argument --after: invalid .* value: '1\.x'"):
        consume("note_events", "--after=1.x")


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_both_sources_yield_the_same_events(in_kafka: None) -> None:
    from_kafka = sorted(consume("note_events"), key=lambda line: line["id"])
    from_outbox = sorted(consume("note_events", source="outbox"), key=lambda line: line["id"])
    assert from_kafka == from_outbox
    assert len(list(read_kafka(EventFilter(topic="note_events")))) == 4


@pytest.mark.django_db
def test_the_outbox_is_read_to_its_end_in_batches(
    publish_events: PublishEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_BATCH_SIZE", 1)
    for key in "abc":
        publish_events(make_event(key=key), make_event(key="f", noun="file"))
    assert [line["key"] for line in consume("note_events")] == ["a", "b", "c"]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_consume_reports_an_unknown_topic(kafka: MockKafka) -> None:
    kafka.reject_topic("tree_events")
    with pytest.raises(CommandError, match="Kafka has no topic tree_events yet"):
        consume("tree_events")


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_consume_reports_that_kafka_does_not_respond(
    kafka: MockKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_TIMEOUT_SECONDS", 1)
    kafka.stop()
    with pytest.raises(CommandError, match="Kafka does not answer: look at KAFKA_BOOTSTRAP"):
        consume("note_events")


def test_consume_without_kafka_says_what_to_configure() -> None:
    with pytest.raises(CommandError, match="No Kafka is configured: set KAFKA_BOOTSTRAP_SERVERS"):
        consume("note_events", source="kafka")


@pytest.fixture
def sleeps(publish_events: PublishEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two more notes be written while the outbox is followed; then Ctrl-C."""
    happenings = iter(
        [
            lambda: publish_events(key="2"),
            lambda: None,
            lambda: publish_events(key="3", client_id=2),
        ]
    )

    def nap(_seconds: float) -> None:
        happen = next(happenings, None)
        if happen is None:
            raise KeyboardInterrupt
        happen()

    publish_events(key="1")
    monkeypatch.setattr(consumer.time, "sleep", nap)


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_consume_follows_until_ctrl_c(sleeps: None) -> None:
    assert [line["key"] for line in consume("note_events", follow=True)] == ["1", "2", "3"]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_following_the_outbox_yields_no_event_twice(sleeps: None) -> None:
    read: list[str] = []
    with suppress(KeyboardInterrupt):
        for message in read_outbox(EventFilter(topic="note_events", follow=True)):
            read.append(message.key)  # noqa: PERF401 - the end of it is an exception
    assert read == ["1", "2", "3"]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A command that runs as its own process."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, number: int) -> None:
        """Send a signal; the process must end well, and long before it would be killed."""
        self.process.send_signal(number)
        assert self.process.wait(timeout=60) == 0, self.log.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts `manage.py …` on the test's database; ends what is left of it."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str, **environment: str) -> Child:
        log = tmp_path / f"{len(started)}.log"
        surroundings = {
            "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
            "TIMBA_DATA_DIR": str(django_settings.TIMBA_DATA_DIR),
            "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        }
        with log.open("wb") as lines:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=Path(__file__).parents[2],
                env=os.environ | surroundings | environment,
                stderr=lines,
            )
        started.append(process)
        return Child(process=process, log=log)

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def is_leased() -> bool:
    return ProcessLease.objects.exclude(expires_at=None).exists()


def all_published() -> bool:
    return not OutboxEvent.objects.unpublished().exists()


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_relay_without_a_broker_logs_it_and_runs_until_stopped(
    start: Start, publish_events: PublishEvents
) -> None:
    publish_events(key="1")
    child = start("relay", KAFKA_BOOTSTRAP_SERVERS="")
    wait_until(
        lambda: "events stay in the outbox" in child.log.read_text(),
        seconds=90,
        what="the relay says that events stay",
    )
    time.sleep(1)
    assert child.process.poll() is None
    child.end(signal.SIGINT)
    assert len(child.log.read_text().splitlines()) == 1
    assert not all_published()


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_relay_stops_while_it_waits_for_a_dead_broker(
    start: Start, publish_events: PublishEvents, kafka: MockKafka
) -> None:
    kafka.stop()
    publish_events(key="1")
    child = start("relay", KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
    wait_until(is_leased, seconds=90, what="the relay has its lease")
    time.sleep(0.3)
    child.end(signal.SIGTERM)
    assert not all_published()


@pytest.mark.journey
@pytest.mark.django_db(transaction=True)
def test_killed_relays_lose_nothing_and_a_stopped_one_releases_its_lease(
    start: Start, publish_events: PublishEvents, kafka: MockKafka
) -> None:
    kafka.create_topic("note_events")
    published = 0
    for round_ in range(2):
        child = start("relay", KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
        wait_until(is_leased, seconds=90, what="the relay has its lease")
        for number in range(120):
            publish_events(make_event(key=str(number % 7)), make_event(key="often"))
            published += 2
            if number == 40 + 20 * round_:
                child.process.kill()
        child.process.wait()
        # The next one need not sit out the dead one's lease: that is shown elsewhere.
        ProcessLease.objects.update(expires_at=None)
    last = start("relay", KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
    wait_until(all_published, seconds=90, what="all events are published")
    last.end(signal.SIGTERM)
    assert ProcessLease.objects.get().expires_at is None

    seen = Deduplicator()
    messages = list(read_kafka(EventFilter(topic="note_events")))
    taken = [event for message in messages if (event := seen.accept(message))]
    assert sorted(event.sequence for event in taken) == list(range(1, published + 1))


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_settings_compose_the_kafka_publisher(kafka: MockKafka, settings: Settings) -> None:
    publisher = open_publisher()
    assert isinstance(publisher, KafkaPublisher)
    publisher.close()
