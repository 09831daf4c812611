"""The history: a client's events, oldest first, and waiting for the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from pytest_django.fixtures import Settings

from tests.events.conftest import PublishEvents, make_event
from tests.journeys.processes import wait_until
from timba.events import history
from timba.events.history import (
    EventPage,
    events_after,
    oldest_unpublished_seconds,
    timeline_of,
    wait_for_events,
)
from timba.events.models import OutboxEvent

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def read(after: int = 0, topic: str | None = None, limit: int = 100) -> tuple[list[str], int]:
    page = events_after(client_id=1, after=after, topic=topic, limit=limit)
    return [event.key for event in page.events], page.position


def wait(seconds: float, after: int = 0, topic: str | None = None) -> EventPage:
    return wait_for_events(client_id=1, after=after, topic=topic, limit=100, seconds=seconds)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the durations of all sleeps; the clock only advances by them."""
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept))
    monkeypatch.setattr(history, "time", clock)
    return slept


@pytest.fixture
def places(settings: Settings) -> Iterator[int]:
    """Return the number of calls that may wait, with eight threads."""
    settings.TIMBA_WEB_THREADS = 8
    history._wait_slots.cache_clear()
    yield 2
    history._wait_slots.cache_clear()


@pytest.mark.django_db
def test_history_is_the_client_s_own_in_order_and_in_pages(publish_events: PublishEvents) -> None:
    for key in "abc":
        publish_events(key=key)
        publish_events(key=key.upper(), client_id=2)
    assert read(limit=2) == (["a", "b"], 2)
    assert read(after=2, limit=2) == (["c"], 3)
    assert read(after=3) == ([], 3)


@pytest.mark.django_db
def test_timeline_of_a_subject_is_newest_first(publish_events: PublishEvents) -> None:
    for key in "abc":
        publish_events(key=key, subject="consignment/7")
        publish_events(key=key, subject="consignment/8")
        publish_events(key=key, subject="consignment/7", client_id=2)
        publish_events(key=key)
    events = timeline_of("consignment/7", client_id=1)
    assert [event.key for event in events] == ["c", "b", "a"]


@pytest.mark.django_db
def test_reading_one_topic_scans_the_others_once(publish_events: PublishEvents) -> None:
    publish_events(key="n")
    publish_events(key="f", noun="file")
    publish_events(key="l", noun="log")
    assert read(topic="note_events") == (["n"], 1)
    assert read(after=1, topic="note_events") == ([], 3)
    publish_events(key="m")
    assert read(after=3, topic="note_events") == (["m"], 4)


@pytest.mark.django_db
def test_client_without_events_has_an_empty_history() -> None:
    assert read() == ([], 0)


@pytest.mark.django_db
def test_a_position_beyond_the_last_event_is_reset(publish_events: PublishEvents) -> None:
    """Waiting behind numbers that a restore took back would pass over who gets them anew."""
    publish_events(key="a")
    publish_events(key="b", client_id=2)
    assert read(after=5) == ([], 1)
    assert wait(0.1, after=5) == EventPage(events=[], position=1, epoch=1)
    publish_events(key="c")
    assert read(after=1) == (["c"], 2)


@pytest.mark.django_db
def test_large_events_make_short_pages_without_gaps(publish_events: PublishEvents) -> None:
    for key in "abc":
        publish_events(key=key, text="x" * 4_500_000)
    assert read() == (["a"], 1)
    assert read(after=1) == (["b"], 2)


@pytest.mark.django_db
def test_waiting_returns_existing_events_at_once(
    publish_events: PublishEvents, sleeps: list[float]
) -> None:
    publish_events(key="a")
    assert [event.key for event in wait(20).events] == ["a"]
    assert sleeps == []


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db
def test_waiting_times_out_with_an_empty_page(sleeps: list[float]) -> None:
    assert wait(0.5) == EventPage(events=[], position=0, epoch=1)
    assert sleeps == pytest.approx([0.2, 0.2, 0.1])


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_with_the_first_event_of_its_topic(publish_events: PublishEvents) -> None:
    pages: list[EventPage] = []
    waiter = _in_thread(lambda: pages.append(wait(20, topic="note_events")))
    time.sleep(0.3)
    publish_events(key="f", noun="file")
    time.sleep(0.5)
    assert not pages
    publish_events(key="n")
    waiter.join(60)
    assert [event.key for event in pages[0].events] == ["n"]
    assert pages[0].position == 2


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_only_a_quarter_of_the_threads_wait_and_the_rest_return_at_once(
    publish_events: PublishEvents, places: int
) -> None:
    pages: list[EventPage] = []
    threads = [_in_thread(lambda: pages.append(wait(25))) for _ in range(places + 3)]
    wait_until(lambda: len(pages) == 3, seconds=60, what="three are answered at once")
    publish_events(key="a")
    for thread in threads:
        thread.join()
    assert [len(page.events) for page in pages] == [0] * 3 + [1] * places
    # The places are free again.
    began = time.monotonic()
    wait(0.3, after=1)
    assert time.monotonic() - began >= 0.3


@pytest.mark.django_db
@pytest.mark.usefixtures("sleeps")
def test_waiting_polls_one_row(
    publish_events: PublishEvents, django_assert_num_queries: Callable[..., object]
) -> None:
    publish_events(key="a")
    # Two to read the history, then one every 0.2 s: at 0.2 and at 0.4.
    with django_assert_num_queries(4):
        wait(0.4, after=1)


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_age_of_the_oldest_unpublished_event(
    publish_events: PublishEvents, settings: Settings
) -> None:
    settings.TIMBA_EVENT_PUBLISHER = "timba.events.publishers.MemoryPublisher"
    assert oldest_unpublished_seconds() is None
    publish_events(make_event(key="a"), make_event(key="b"))
    OutboxEvent.objects.filter(key="a").update(time=NOON - timedelta(seconds=90))
    assert oldest_unpublished_seconds() == 90
    OutboxEvent.objects.filter(key="a").update(published_at=NOON)
    assert oldest_unpublished_seconds() == 0


@pytest.mark.django_db
def test_without_a_publisher_nothing_waits(publish_events: PublishEvents) -> None:
    publish_events(key="a")
    assert oldest_unpublished_seconds() is None


def _in_thread(do: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        do()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
