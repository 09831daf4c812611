"""Events are numbered without gaps in the order of commits, and look as the contract specifies."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import structlog
import time_machine
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from tests.events.conftest import PublishEvents, make_event
from timba.db.transactions import retry_on_deadlock
from timba.events.history import events_after
from timba.events.models import OutboxEvent, Stream
from timba.events.outbox import Event, publish
from timba.wakeup import Listener

AT = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)


@pytest.mark.django_db
@time_machine.travel(AT, tick=False)
def test_event_is_stored_as_the_contract_specifies() -> None:
    body = {"id": 7, "title": "Spruce, “dry”", "volume": Decimal("0.054"), "created_at": AT}
    event = Event(noun="note", action="create", key="7", body=body, client_id=3, actor_id=11)
    with structlog.contextvars.bound_contextvars(request_id="req-1"), transaction.atomic():
        publish(event)
    row = OutboxEvent.objects.get()
    assert row.value == (
        '{"action":"create","note":{"id":7,"title":"Spruce, “dry”","volume":0.054,'
        '"created_at":"2026-03-04T05:06:07.089000Z"}}'
    )
    assert (row.topic, row.key, row.type) == ("note_events", "7", "timba.note.created")
    assert (row.source, row.time, row.actor_id) == ("/clients/3/notes", AT, 11)
    assert (row.epoch, row.sequence, row.request_id) == (1, 1, "req-1")
    assert row.published_at is None


@pytest.mark.parametrize(
    ("noun", "action", "type_"),
    [
        ("consignment", "update", "timba.consignment.updated"),
        ("log", "delete", "timba.log.deleted"),
        ("file", "success", "timba.file.succeeded"),
        ("file", "failure", "timba.file.failed"),
    ],
)
def test_type_names_the_noun_and_the_action(noun: str, action: str, type_: str) -> None:
    event = make_event(noun=noun, action=action, client_id=5)
    assert event.type == type_
    assert (event.topic, event.source) == (f"{noun}_events", f"/clients/5/{noun}s")


@pytest.mark.django_db
def test_each_client_has_its_own_running_number(publish_events: PublishEvents) -> None:
    publish_events(
        make_event(key="1", client_id=2),
        make_event(key="2", client_id=1),
        make_event(key="3", client_id=2),
    )
    publish_events(key="4", client_id=2)
    rows = OutboxEvent.objects.order_by("id").values_list("client_id", "sequence", "key")
    assert sorted(rows) == [(1, 1, "2"), (2, 1, "1"), (2, 2, "3"), (2, 3, "4")]


@pytest.mark.django_db
def test_statements_are_limited_in_size(publish_events: PublishEvents) -> None:
    texts = ["ä" * 100_000] * 12 + ["small"] * 120 + ["ä" * 400_000] * 2
    with CaptureQueriesContext(connection) as queries:
        publish_events(
            *[make_event(key=str(number), text=text) for number, text in enumerate(texts)]
        )
    written = [query["sql"] for query in queries if query["sql"].startswith("INSERT")]
    assert max(len(statement.encode()) for statement in written) < 900_000
    assert len(written) < 15
    rows = OutboxEvent.objects.order_by("id").values_list("sequence", "key")
    assert list(rows) == [(number + 1, str(number)) for number in range(len(texts))]


@pytest.mark.django_db
def test_a_restored_outbox_continues_in_the_next_epoch(publish_events: PublishEvents) -> None:
    publish_events(key="1")
    Stream.objects.update(epoch=2)
    publish_events(key="1", action="update")
    rows = OutboxEvent.objects.order_by("id").values_list("epoch", "sequence")
    assert list(rows) == [(1, 1), (2, 2)]


@pytest.mark.django_db(transaction=True)
def test_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        publish(make_event())
    assert not OutboxEvent.objects.exists()
    assert not Stream.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_change_that_fails_leaves_neither_event_nor_gap(publish_events: PublishEvents) -> None:
    publish_events(key="1")
    with suppress(ZeroDivisionError), transaction.atomic():
        publish(make_event(key="2"))
        raise ZeroDivisionError
    publish_events(key="3")
    rows = OutboxEvent.objects.order_by("id").values_list("sequence", "key")
    assert list(rows) == [(1, "1"), (2, "3")]


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_commit_notifies_the_relay(publish_events: PublishEvents, settings: Any) -> None:
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.KafkaPublisher"
    listener = Listener("relay")
    try:
        woken = threading.Event()

        def listen() -> None:
            listener.wait(120)
            woken.set()

        thread = threading.Thread(target=listen)
        thread.start()
        publish_events()
        thread.join(60)
        assert woken.is_set()
    finally:
        listener.close()


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_and_reading_on_skips_nothing_under_concurrent_writers() -> None:
    writers, each, clients = 6, 20, (1, 2)
    done = threading.Event()
    read: list[int] = []
    reader = threading.Thread(target=_read_on, args=(done, read))
    threads = [threading.Thread(target=_write, args=(n, each, clients)) for n in range(writers)]
    for thread in [reader, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()

    for client_id in clients:
        rows = OutboxEvent.objects.filter(client_id=client_id).order_by("id")
        numbers = list(rows.values_list("sequence", flat=True))
        assert writers * each / 2 < len(numbers) < writers * each, "a part was rolled back"
        assert numbers == list(range(1, len(numbers) + 1))
        assert Stream.objects.get(client_id=client_id).last_sequence == numbers[-1]
    assert read == list(range(1, Stream.objects.get(client_id=1).last_sequence + 1))


def _write(seed: int, each: int, clients: tuple[int, ...]) -> None:
    """Commit events of all clients in one transaction each; roll every fourth or so back.

    As in services: several first events of a client at once deadlock on MariaDB.
    """
    chance = random.Random(seed)

    @retry_on_deadlock
    def write(key: str, *, fails: bool) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            publish(*[make_event(key=key, client_id=client) for client in clients])
            if fails:
                raise ZeroDivisionError

    for number in range(each):
        write(f"{seed}-{number}", fails=chance.random() < 0.25)
    connection.close()


def _read_on(done: threading.Event, read: list[int]) -> None:
    """Follow the first client's history until nobody writes any more."""
    position, last_look = 0, False
    while not last_look:
        last_look = done.is_set()
        while (page := events_after(client_id=1, after=position, topic=None, limit=7)).events:
            read.extend(event.sequence for event in page.events)
            position = page.position
    connection.close()
