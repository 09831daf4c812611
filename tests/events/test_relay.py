"""The relay loses nothing, keeps each key's order, and lets only one relay mark what is sent."""

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

from tests.broken_databases import break_at, spoil
from tests.events.conftest import Tell, fact
from tests.events.kafka import MockKafka
from tests.events.test_lease import expire
from timba.events.consumer import Deduplicator, EventFilter, ReceivedEvent, read_kafka
from timba.events.messages import Message
from timba.events.models import OutboxEvent
from timba.events.publishers import Delivery, MemoryPublisher, open_publisher
from timba.events.relay import CycleResult, Relay


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


def taken_once(messages: Sequence[Message]) -> list[ReceivedEvent]:
    seen = Deduplicator()
    return [event for message in messages if (event := seen.accept(message))]


@pytest.mark.django_db
def test_events_leave_in_order_and_are_marked(tell: Tell) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    for number in range(3):
        tell(key=str(number % 2), text=str(number))
    assert relay.run_once() is CycleResult.MOVED
    assert numbers(publisher.log) == [1, 2, 3]
    assert unpublished() == []
    assert relay.run_once() is CycleResult.IDLE
    assert numbers(publisher.log) == [1, 2, 3]


@pytest.mark.django_db
def test_event_that_commits_late_with_a_lower_id_is_not_skipped(tell: Tell) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(key="1", client_id=1)
    tell(key="2", client_id=2)
    late = OutboxEvent.objects.get(client_id=1)
    OutboxEvent.objects.filter(pk=late.pk).delete()
    relay.run_once()
    late.save(force_insert=True)
    relay.run_once()
    assert [message.key for message in publisher.log] == ["2", "1"]


@pytest.mark.django_db
def test_broker_that_is_away_loses_nothing_and_a_fresh_publisher_is_opened(tell: Tell) -> None:
    publishers = [MemoryPublisher(), MemoryPublisher()]
    publishers[0].unavailable = True
    opened = iter(publishers)
    relay = Relay(open_publisher=lambda: next(opened))
    tell(key="1")
    assert relay.run_once() is CycleResult.STUCK
    assert unpublished() == [1]
    assert relay.run_once() is CycleResult.MOVED
    assert (publishers[0].log, numbers(publishers[1].log)) == ([], [1])
    assert unpublished() == []


@pytest.mark.django_db
def test_broker_that_is_away_is_told_once_and_so_is_its_return(
    tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(key="1")
    publisher.unavailable = True
    for _ in range(3):
        relay.run_once()
    publisher.unavailable = False
    for _ in range(3):
        tell(key="2")
        relay.run_once()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "the broker does not acknowledge events; they wait, and none is lost" in lines[0]
    assert "the relay is at work again" in lines[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [OperationalError(2006, "it is being started again"), InterfaceError(0, "")], ids=str
)
def test_database_that_does_not_answer_ends_no_relay(
    tell: Tell, caplog: pytest.LogCaptureFixture, error: Error
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(key="1")

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
def test_a_relay_whose_connection_breaks_goes_on(
    tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(key="1")
    with connection.execute_wrapper(break_at("events_outboxevent")):
        assert [relay.run_once() for _ in range(3)] == [CycleResult.STUCK] * 3
    assert relay.run_once() is CycleResult.MOVED
    assert [message.key for message in publisher.log] == ["1"]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("timba")]
    assert len(lines) == 2
    assert "the outbox does not answer" in lines[0]
    assert "the relay is at work again" in lines[1]


@pytest.mark.django_db(transaction=True)
def test_a_relay_survives_a_defect_and_logs_its_traceback(
    tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(key="1")
    with connection.execute_wrapper(spoil("events_outboxevent", "nowhere")):
        assert [relay.run_once() for _ in range(3)] == [CycleResult.STUCK] * 3
    assert relay.run_once() is CycleResult.MOVED
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "exc_info" in told


@pytest.mark.django_db
def test_failure_keeps_only_the_acknowledged_first_events_of_each_key(tell: Tell) -> None:
    publisher = PausedPublisher(lambda: None)
    relay = relay_to(publisher)
    publisher.unacknowledged_keys = {"b"}
    tell(fact(key="a"), fact(key="b"), fact(key="a"), fact(key="b"), fact(key="c"))
    assert relay.run_once() is CycleResult.STUCK
    assert unpublished() == [2, 4]

    publisher.unacknowledged_keys = set()
    while unpublished():
        relay.run_once()
    assert numbers(publisher.log) == [1, 2, 3, 4, 5, 2, 4]
    assert [event.sequence for event in taken_once(publisher.log)] == [1, 2, 3, 4, 5]


class HolePublisher(MemoryPublisher):
    """Acknowledges all but the positions in `holes`."""

    holes: frozenset[int] = frozenset()

    def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
        outcomes = super().deliver(messages, timeout=timeout)
        return [Delivery.UNCERTAIN if n in self.holes else o for n, o in enumerate(outcomes)]


@pytest.mark.django_db
def test_acknowledged_event_behind_a_lost_one_of_its_key_is_delivered_again(tell: Tell) -> None:
    publisher = HolePublisher()
    publisher.holes = frozenset({1})
    relay = relay_to(publisher)
    tell(fact(key="a"), fact(key="a"), fact(key="a"), fact(key="b"))
    relay.run_once()
    assert unpublished() == [2, 3]


@pytest.mark.django_db
def test_batch_halves_while_it_fails_and_grows_again(tell: Tell) -> None:
    publisher = MemoryPublisher()
    relay = relay_to(publisher)
    tell(*[fact(key=str(n)) for n in range(8)])
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
def test_event_too_large_for_the_broker_parks_its_key_and_the_others_go_on(
    tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = MemoryPublisher(max_bytes=1000)
    relay = relay_to(publisher)
    tell(fact(key="a"), fact(key="a", text="x" * 2000), fact(key="a"), fact(key="b"))
    relay.run_once()
    tell(fact(key="b"), fact(key="a"))
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
def test_event_before_one_that_is_too_large_is_not_parked_with_it(tell: Tell) -> None:
    publisher = MemoryPublisher(max_bytes=1000)
    publisher.unacknowledged_keys = {"a"}
    relay = relay_to(publisher)
    tell(fact(key="a"), fact(key="a", text="x" * 2000))
    relay.run_once()
    publisher.unacknowledged_keys = set()
    relay.run_once()
    assert unpublished() == [2]


@pytest.mark.django_db
def test_second_relay_stands_by_and_takes_over_when_the_lease_is_given_back(tell: Tell) -> None:
    first, second = MemoryPublisher(), MemoryPublisher()
    relay, standby = relay_to(first), relay_to(second)
    tell(key="1")
    relay.run_once()
    tell(key="2")
    assert standby.run_once() is CycleResult.STANDBY
    assert second.log == []
    relay.close()
    assert standby.run_once() is CycleResult.MOVED
    assert numbers(second.log) == [2]


@pytest.mark.django_db
def test_relay_that_slept_through_its_lease_marks_nothing(tell: Tell) -> None:
    heir = MemoryPublisher()
    taking_over = relay_to(heir)

    def lose_the_lease() -> None:
        expire()
        # The heir takes the lease, but has not yet sent what the sleeper just did.
        assert taking_over._lease.renew()

    sleeper = PausedPublisher(lose_the_lease)
    zombie = relay_to(sleeper)
    tell(fact(key="a"), fact(key="a"))
    assert zombie.run_once() is CycleResult.STANDBY
    assert unpublished() == [1, 2]
    assert taking_over.run_once() is CycleResult.MOVED
    assert unpublished() == []
    assert zombie.run_once() is CycleResult.STANDBY
    assert [e.sequence for e in taken_once([*sleeper.log, *heir.log])] == [1, 2]


@pytest.mark.django_db
def test_sleeper_that_sends_after_its_heir_only_repeats(tell: Tell) -> None:
    log: list[Message] = []
    heir = MemoryPublisher()
    heir.log = log
    taking_over = relay_to(heir)

    def be_overtaken() -> None:
        expire()
        assert taking_over.run_once() is CycleResult.MOVED
        tell(fact(key="a", action="delete"))
        assert taking_over.run_once() is CycleResult.MOVED

    class Sleeper(MemoryPublisher):
        def deliver(self, messages: Sequence[Message], *, timeout: float) -> list[Delivery]:
            be_overtaken()
            return super().deliver(messages, timeout=timeout)

    sleeper = Sleeper()
    sleeper.log = log
    tell(fact(key="a"), fact(key="a", action="update"))
    assert relay_to(sleeper).run_once() is CycleResult.STANDBY
    assert numbers(log) == [1, 2, 3, 1, 2]
    assert [e.value["action"] for e in taken_once(log)] == ["create", "update", "delete"]


@pytest.mark.django_db
def test_idle_relay_looks_with_one_query_and_writes_nothing(
    tell: Tell, django_assert_num_queries: Callable[..., object]
) -> None:
    relay = relay_to(MemoryPublisher())
    relay.run_once()
    with django_assert_num_queries(1):
        assert relay.run_once() is CycleResult.IDLE


@pytest.mark.django_db
def test_large_events_do_not_fill_the_memory_at_once(tell: Tell) -> None:
    publisher = MemoryPublisher(max_bytes=10_000_000)
    relay = relay_to(publisher)
    tell(*[fact(key=str(n), text="x" * 3_000_000) for n in range(4)])
    relay.run_once()
    assert numbers(publisher.log) == [1, 2]
    relay.run_once()
    assert numbers(publisher.log) == [1, 2, 3, 4]


@pytest.mark.django_db
def test_without_a_publisher_events_stay_and_old_ones_go(tell: Tell, settings: Settings) -> None:
    settings.TIMBA_EVENT_DAYS = 30
    tell(key="1")
    tell(key="2")
    OutboxEvent.objects.filter(key="1").update(time=timezone.now() - timedelta(days=31))
    assert Relay(open_publisher=open_publisher).run_once() is CycleResult.STANDBY
    assert unpublished() == [2]


@pytest.mark.django_db(transaction=True)
def test_two_relays_and_concurrent_writers_lose_nothing_and_keep_each_key_in_order(
    tell: Tell, kafka: MockKafka
) -> None:
    kafka.make_topic("note_events")
    writers, each = 3, 40
    relays = [Relay(open_publisher=open_publisher) for _ in range(2)]
    running = [threading.Thread(target=_run, args=(relay,)) for relay in relays]
    writing = [threading.Thread(target=_write, args=(tell, n, each)) for n in range(writers)]
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
    for event in taken_once(list(read_kafka(EventFilter(topic="note_events")))):
        arrived[event.key].append(event.sequence)
    told: defaultdict[str, list[int]] = defaultdict(list)
    for key, sequence in OutboxEvent.objects.order_by("id").values_list("key", "sequence"):
        told[key].append(sequence)
    assert arrived == told
    assert sum(map(len, arrived.values())) == writers * each * 2


def _run(relay: Relay) -> None:
    relay.run()
    connection.close()


def _write(tell: Tell, client_id: int, each: int) -> None:
    for number in range(each):
        tell(
            fact(key=f"{client_id}-{number % 5}", client_id=client_id),
            fact(key=f"{client_id}-often", client_id=client_id),
        )
    connection.close()


def _wait_until_all_is_published(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while unpublished():
        assert time.monotonic() < deadline, "events are stuck"
        time.sleep(0.05)
