"""The relay loses nothing, keeps each key's order, and only one relay marks events."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db import Error, InterfaceError, OperationalError, connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.database_faults import break_connection_at, replace_in_sql
from tests.events.conftest import PublishEvents, make_event
from tests.events.kafka import MockKafka
from tests.events.test_lease import expire
from timba.events.consumer import Deduplicator, EventFilter, ReceivedEvent, read_kafka
from timba.events.leased_process import CycleResult
from timba.events.messages import Message
from timba.events.models import OutboxEvent
from timba.events.publishers import Delivery, MemoryPublisher, open_publisher
from timba.events.relay import Relay


class PausedPublisher(MemoryPublisher):
    """Lets something happen while a batch is under way, after it has arrived."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        outcomes = super().deliver(messages, timeout=timeout)
        self._meanwhile()
        return outcomes


def relay_to(publisher: MemoryPublisher) -> Relay:
    return Relay(open_publisher=lambda: publisher)


def numbers(messages: Sequence[Message]) -> list[int]:
    return [int(message.headers["ce_sequence"]) for message in messages]


def unpublished() -> list[int]:
    return list(OutboxEvent.objects.unpublished().values_list("sequence", flat=True))


def deduplicated(messages: Sequence[Message]) -> list[ReceivedEvent]:
    seen = Deduplicator()
    return [event for message in messages if (event := seen.accept(message))]


@pytest.mark.django_db
def test_events_are_published_in_order_and_marked(publish_events: PublishEvents) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    for number in range(3):
        publish_events(key=str(number % 2), text=str(number))
    assert relay.run_once() is CycleResult.MOVED
    assert numbers(publisher.log) == [1, 2, 3]
    assert unpublished() == []
    assert relay.run_once() is CycleResult.IDLE
    assert numbers(publisher.log) == [1, 2, 3]


@pytest.mark.django_db
def test_event_that_commits_late_with_a_lower_id_is_not_skipped(
    publish_events: PublishEvents,
) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(key="1", client_id=1)
    publish_events(key="2", client_id=2)
    late = OutboxEvent.objects.get(client_id=1)
    OutboxEvent.objects.filter(pk=late.pk).delete()
    relay.run_once()
    late.save(force_insert=True)
    relay.run_once()
    assert [message.key for message in publisher.log] == ["2", "1"]


@pytest.mark.django_db
def test_broker_outage_loses_nothing_and_opens_a_new_publisher(
    publish_events: PublishEvents,
) -> None:
    publishers = [MemoryPublisher(), MemoryPublisher()]
    publishers[0].unavailable = True
    opened = iter(publishers)
    relay = Relay(open_publisher=lambda: next(opened))
    publish_events(key="1")
    assert relay.run_once() is CycleResult.STUCK
    assert unpublished() == [1]
    assert relay.run_once() is CycleResult.MOVED
    assert (publishers[0].log, numbers(publishers[1].log)) == ([], [1])
    assert unpublished() == []


@pytest.mark.django_db
def test_broker_outage_and_recovery_are_logged_once(
    publish_events: PublishEvents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(key="1")
    publisher.unavailable = True
    for _ in range(3):
        relay.run_once()
    publisher.unavailable = False
    for _ in range(3):
        publish_events(key="2")
        relay.run_once()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "the broker does not acknowledge events; they wait, and none is lost" in lines[0]
    assert "the relay is at work again" in lines[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [OperationalError(2006, "it is being started again"), InterfaceError(0, "")], ids=str
)
def test_database_outage_does_not_end_the_relay(
    publish_events: PublishEvents, caplog: pytest.LogCaptureFixture, error: Error
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(key="1")

    def refuse(*_args: object) -> object:
        raise error

    with connection.execute_wrapper(refuse):
        assert [relay.run_once() for _ in range(3)] == [CycleResult.STUCK] * 3
    assert relay.run_once() is CycleResult.MOVED
    assert numbers(publisher.log) == [1]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "the outbox does not answer" in lines[0]
    assert str(error) in lines[0]


@pytest.mark.django_db(transaction=True)
def test_a_relay_survives_a_broken_connection(
    publish_events: PublishEvents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(key="1")
    with connection.execute_wrapper(break_connection_at("events_outboxevent")):
        assert [relay.run_once() for _ in range(3)] == [CycleResult.STUCK] * 3
    assert relay.run_once() is CycleResult.MOVED
    assert [message.key for message in publisher.log] == ["1"]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("timba")]
    assert len(lines) == 2
    assert "the outbox does not answer" in lines[0]
    assert "the relay is at work again" in lines[1]


@pytest.mark.django_db(transaction=True)
def test_a_relay_survives_a_defect_and_logs_its_traceback(
    publish_events: PublishEvents, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(key="1")
    with connection.execute_wrapper(replace_in_sql("events_outboxevent", "nowhere")):
        assert [relay.run_once() for _ in range(3)] == [CycleResult.STUCK] * 3
    assert relay.run_once() is CycleResult.MOVED
    [expected] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "exc_info" in expected


@pytest.mark.django_db
def test_failure_marks_only_the_acknowledged_first_events_of_each_key(
    publish_events: PublishEvents,
) -> None:
    publisher = PausedPublisher(lambda: None)
    relay = relay_to(publisher)
    publisher.unacknowledged_keys = {"b"}
    publish_events(
        make_event(key="a"),
        make_event(key="b"),
        make_event(key="a"),
        make_event(key="b"),
        make_event(key="c"),
    )
    assert relay.run_once() is CycleResult.STUCK
    assert unpublished() == [2, 4]

    publisher.unacknowledged_keys = set()
    while unpublished():
        relay.run_once()
    assert numbers(publisher.log) == [1, 2, 3, 4, 5, 2, 4]
    assert [event.sequence for event in deduplicated(publisher.log)] == [1, 2, 3, 4, 5]


class HolePublisher(MemoryPublisher):
    """Acknowledges all but the positions in `holes`."""

    holes: frozenset[int] = frozenset()

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        outcomes = super().deliver(messages, timeout=timeout)
        return [Delivery.UNCERTAIN if n in self.holes else o for n, o in enumerate(outcomes)]


@pytest.mark.django_db
def test_acknowledged_event_after_a_lost_one_of_its_key_is_delivered_again(
    publish_events: PublishEvents,
) -> None:
    publisher = HolePublisher()
    publisher.holes = frozenset({1})
    relay = relay_to(publisher)
    publish_events(
        make_event(key="a"), make_event(key="a"), make_event(key="a"), make_event(key="b")
    )
    relay.run_once()
    assert unpublished() == [2, 3]


@pytest.mark.django_db
def test_batch_halves_while_it_fails_and_grows_again(publish_events: PublishEvents) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    publish_events(*[make_event(key=str(n)) for n in range(8)])
    sizes: list[int] = []
    publisher.deliver = _counting(publisher, sizes)  # type: ignore[method-assign]
    publisher.unavailable = True
    for _ in range(5):
        relay.run_once()
    publisher.unavailable = False
    while unpublished():
        relay.run_once()
    assert sizes == [8, 4, 2, 1, 1, 1, 2, 4, 1]


def _counting(publisher: MemoryPublisher, sizes: list[int]) -> Callable[..., list[Delivery]]:
    deliver = publisher.deliver

    def counted(messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        sizes.append(len(messages))
        return deliver(messages, timeout=timeout)

    return counted


@pytest.mark.django_db
def test_event_too_large_for_the_broker_blocks_only_its_key(
    publish_events: PublishEvents, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = MemoryPublisher(max_bytes=1000)
    relay = relay_to(publisher)
    publish_events(
        make_event(key="a"),
        make_event(key="a", text="x" * 2000),
        make_event(key="a"),
        make_event(key="b"),
    )
    relay.run_once()
    publish_events(make_event(key="b"), make_event(key="a"))
    relay.run_once()
    assert relay.run_once() is CycleResult.IDLE
    assert [(m.key, int(m.headers["ce_sequence"])) for m in publisher.log] == [
        ("a", 1),
        ("b", 4),
        ("b", 5),
    ]
    assert unpublished() == [2, 3, 6]
    [line] = [r.getMessage() for r in caplog.records if "too large" in r.getMessage()]
    assert "'key': 'a'" in line
    assert "'sequence': 2" in line

    roomier = MemoryPublisher()
    relay_after_restart = relay_to(roomier)
    relay.close()
    relay_after_restart.run_once()
    assert numbers(roomier.log) == [2, 3, 6]


@pytest.mark.django_db
def test_event_before_one_that_is_too_large_is_published(publish_events: PublishEvents) -> None:
    publisher = MemoryPublisher(max_bytes=1000)
    publisher.unacknowledged_keys = {"a"}
    relay = relay_to(publisher)
    publish_events(make_event(key="a"), make_event(key="a", text="x" * 2000))
    relay.run_once()
    publisher.unacknowledged_keys = set()
    relay.run_once()
    assert unpublished() == [2]


@pytest.mark.django_db
def test_second_relay_stands_by_until_the_lease_is_released(publish_events: PublishEvents) -> None:
    first, second = MemoryPublisher(), MemoryPublisher()
    relay, standby = relay_to(first), relay_to(second)
    publish_events(key="1")
    relay.run_once()
    publish_events(key="2")
    assert standby.run_once() is CycleResult.STANDBY
    assert second.log == []
    relay.close()
    assert standby.run_once() is CycleResult.MOVED
    assert numbers(second.log) == [2]


@pytest.mark.django_db
def test_relay_with_an_expired_lease_marks_nothing(publish_events: PublishEvents) -> None:
    successor = MemoryPublisher()
    taking_over = relay_to(successor)

    def lose_the_lease() -> None:
        expire()
        # The successor takes the lease, but has not yet published what the expired one has.
        assert taking_over._lease.renew()

    expired = PausedPublisher(lose_the_lease)
    expired_relay = relay_to(expired)
    publish_events(make_event(key="a"), make_event(key="a"))
    assert expired_relay.run_once() is CycleResult.STANDBY
    assert unpublished() == [1, 2]
    assert taking_over.run_once() is CycleResult.MOVED
    assert unpublished() == []
    assert expired_relay.run_once() is CycleResult.STANDBY
    assert [e.sequence for e in deduplicated([*expired.log, *successor.log])] == [1, 2]


@pytest.mark.django_db
def test_late_delivery_after_losing_the_lease_only_duplicates(
    publish_events: PublishEvents,
) -> None:
    log: list[Message] = []
    successor = MemoryPublisher()
    successor.log = log
    taking_over = relay_to(successor)

    def be_overtaken() -> None:
        expire()
        assert taking_over.run_once() is CycleResult.MOVED
        publish_events(make_event(key="a", action="delete"))
        assert taking_over.run_once() is CycleResult.MOVED

    class LatePublisher(MemoryPublisher):
        def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
            be_overtaken()
            return super().deliver(messages, timeout=timeout)

    expired = LatePublisher()
    expired.log = log
    publish_events(make_event(key="a"), make_event(key="a", action="update"))
    assert relay_to(expired).run_once() is CycleResult.STANDBY
    assert numbers(log) == [1, 2, 3, 1, 2]
    assert [e.value["action"] for e in deduplicated(log)] == ["create", "update", "delete"]


@pytest.mark.django_db
def test_idle_relay_polls_with_one_query_and_writes_nothing(
    publish_events: PublishEvents, django_assert_num_queries: Callable[..., object]
) -> None:
    relay = relay_to(MemoryPublisher())
    relay.run_once()
    with django_assert_num_queries(1):
        assert relay.run_once() is CycleResult.IDLE


@pytest.mark.django_db
def test_large_events_do_not_fill_the_memory_at_once(publish_events: PublishEvents) -> None:
    publisher = MemoryPublisher(max_bytes=10_000_000)
    relay = relay_to(publisher)
    publish_events(*[make_event(key=str(n), text="x" * 3_000_000) for n in range(4)])
    relay.run_once()
    assert numbers(publisher.log) == [1, 2]
    relay.run_once()
    assert numbers(publisher.log) == [1, 2, 3, 4]


@pytest.mark.django_db
def test_without_a_publisher_events_stay_and_old_ones_are_deleted(
    publish_events: PublishEvents, settings: Settings
) -> None:
    settings.TIMBA_EVENT_DAYS = 30
    publish_events(key="1")
    publish_events(key="2")
    OutboxEvent.objects.filter(key="1").update(time=timezone.now() - timedelta(days=31))
    assert Relay(open_publisher=open_publisher).run_once() is CycleResult.STANDBY
    assert unpublished() == [2]


@pytest.mark.django_db(transaction=True)
def test_two_relays_and_concurrent_writers_lose_nothing_and_keep_each_key_in_order(
    publish_events: PublishEvents, kafka: MockKafka
) -> None:
    kafka.create_topic("note_events")
    writers, each = 3, 40
    relays = [Relay(open_publisher=open_publisher) for _ in range(2)]
    running = [threading.Thread(target=_run, args=(relay,)) for relay in relays]
    writing = [
        threading.Thread(target=_write, args=(publish_events, n, each)) for n in range(writers)
    ]
    for thread in [*running, *writing]:
        thread.start()
    for thread in writing:
        thread.join()
    _wait_until_all_is_published(90)
    for relay in relays:
        relay.stop()
    for thread in running:
        thread.join()

    arrived: defaultdict[str, list[int]] = defaultdict(list)
    for event in deduplicated(list(read_kafka(EventFilter(topic="note_events")))):
        arrived[event.key].append(event.sequence)
    expected: defaultdict[str, list[int]] = defaultdict(list)
    for key, sequence in OutboxEvent.objects.order_by("id").values_list("key", "sequence"):
        expected[key].append(sequence)
    assert arrived == expected
    assert sum(map(len, arrived.values())) == writers * each * 2


def _run(relay: Relay) -> None:
    relay.run()
    connection.close()


def _write(publish_events: PublishEvents, client_id: int, each: int) -> None:
    for number in range(each):
        publish_events(
            make_event(key=f"{client_id}-{number % 5}", client_id=client_id),
            make_event(key=f"{client_id}-often", client_id=client_id),
        )
    connection.close()


def _wait_until_all_is_published(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while unpublished():
        assert time.monotonic() < deadline, "events are stuck"
        time.sleep(0.05)
