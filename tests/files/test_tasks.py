"""A bell is rung within two seconds or not at all, and a lost one does no harm."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from celery import current_app
from celery.signals import worker_shutting_down
from kombu import pools
from pytest_django.fixtures import Settings

from tests.files.conftest import Receive
from tests.own_servers import note_calls
from timba.db.transactions import deferred_commit
from timba.files import tasks
from timba.files.models import File
from timba.files.processors.base import BULK, FAST
from timba.files.tasks import WORK_CHANNEL, notify_workers, process, sweep
from timba.wakeup import Listener

pytestmark = pytest.mark.django_db

READING = "7,21.5,2026-01-01T00:00:00Z\n"
UseBroker = Callable[[str], None]


@pytest.fixture
def use_broker(settings: Settings) -> Iterator[UseBroker]:
    """Return a way to ring through a broker at some address, with Timba's own settings."""

    def use(url: str) -> None:
        settings.BROKER_URL = url
        current_app.conf.broker_url = url
        pools.reset()
        current_app._after_fork()

    yield use
    use("")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def refusing_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_without_a_broker_a_datagram_wakes_the_worker(receive: Receive) -> None:
    listener = Listener(WORK_CHANNEL)
    try:
        notify_workers([receive().pk])
        started = time.monotonic()
        listener.wait(120)
        assert time.monotonic() - started < 60
    finally:
        listener.close()


def test_without_a_broker_and_without_a_worker_ringing_does_nothing(receive: Receive) -> None:
    notify_workers([receive().pk])


@pytest.mark.parametrize("port", ["refusing_port", "silent_port"])
def test_a_broker_that_is_away_or_silent_is_called_once(
    receive: Receive,
    use_broker: UseBroker,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    port: str,
) -> None:
    file_ids = [receive().pk for _ in range(3)]
    broker = ("127.0.0.1", request.getfixturevalue(port))
    use_broker("redis://{}:{}/0".format(*broker))
    monkeypatch.setattr(tasks, "_NOTIFY_SECONDS", 600)
    called = note_calls(monkeypatch)
    notify_workers(file_ids)
    assert called.count(broker) == 1


def test_a_broker_that_is_slow_does_not_hold_an_upload(
    receive: Receive, use_broker: UseBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_broker("memory://")
    rung = []

    def ring_slowly(arguments: tuple[str], *, queue: str) -> None:
        rung.append(arguments)

    # Each bell takes three quarters of a second.
    clock = SimpleNamespace(monotonic=lambda: 0.75 * len(rung))
    monkeypatch.setattr(tasks, "time", clock)
    monkeypatch.setattr(process, "apply_async", ring_slowly)
    notify_workers([receive().pk for _ in range(10)])
    assert len(rung) == 3


def test_what_may_take_hours_waits_in_a_queue_of_its_own(
    receive: Receive, use_broker: UseBroker
) -> None:
    text, readings = receive(), receive(READING, name="a.csv")
    many = receive(READING * 40_000, name="b.csv")
    use_broker("memory://")
    notify_workers([text.pk, readings.pk, many.pk])
    assert messages(FAST) == [str(text.pk), str(readings.pk)]
    assert messages(BULK) == [str(many.pk)]


@pytest.mark.django_db(transaction=True)
def test_an_upload_is_fine_when_its_broker_is_away(
    receive: Receive, use_broker: UseBroker, refusing_port: int
) -> None:
    use_broker(f"redis://127.0.0.1:{refusing_port}/0")
    file = receive()
    assert File.unscoped.get().status == File.Status.PENDING
    process(str(file.pk))
    assert File.unscoped.get().status == File.Status.SUCCESS


@pytest.mark.django_db(transaction=True)
def test_a_bell_is_rung_once_the_row_can_be_seen_and_not_before(
    receive: Receive, use_broker: UseBroker
) -> None:
    use_broker("memory://")
    with deferred_commit():
        file = receive()
        assert messages() == []
    assert messages() == [str(file.pk)]


def test_the_sweep_rings_again_for_files_whose_bell_was_lost(
    receive: Receive, use_broker: UseBroker
) -> None:
    files = [receive() for _ in range(3)]
    File.unscoped.update(notified_at=None)
    use_broker("memory://")
    sweep()
    assert sorted(messages(take=False)) == sorted(str(file.pk) for file in files)
    File.unscoped.update(notified_at=None)
    sweep()
    assert len(messages()) == 3


def test_a_worker_that_shuts_down_gives_its_files_back_unharmed(
    receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_stopping", tasks.SharedFlag())
    file = receive(READING, name="a.csv")
    worker_shutting_down.send(sender="bulk@here", sig="SIGTERM", how="Warm", exitcode=0)
    process(str(file.pk))
    file.refresh_from_db()
    assert (file.status, file.attempts, file.lease_until, file.fencing_token) == (
        "PENDING",
        0,
        None,
        1,
    )


def test_processes_that_are_forked_see_that_their_worker_stops() -> None:
    stopping = tasks.SharedFlag()
    child = get_context("fork").Process(target=_wait_for, args=[stopping])
    child.start()
    try:
        stopping.set()
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()


def _wait_for(stopping: tasks.SharedFlag) -> None:
    while not stopping.is_set():
        time.sleep(0.01)


def messages(queue: str = FAST, *, take: bool = True) -> list[str]:
    """Return the ids of the files that a queue holds a bell for."""
    with current_app.connection_for_read() as connection:
        waiting = connection.SimpleQueue(queue)
        found = [waiting.get(block=False) for _ in range(waiting.qsize())]
        for message in found:
            if take:
                message.ack()
            else:
                message.requeue()
        waiting.close()
        return [message.payload[0][0] for message in found]
