"""A notification is sent within two seconds or not at all, and a lost one does no harm."""

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
from tests.servers import record_connections
from timba.db.transactions import deferred_commit
from timba.files import tasks
from timba.files.models import File
from timba.files.processors.base import BULK, FAST
from timba.files.tasks import WORK_CHANNEL, notify_workers, process, sweep
from timba.wakeup import Listener

# What they ask of the database, other tests ask of each.
pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

READING = "7,21.5,2026-01-01T00:00:00Z\n"
UseBroker = Callable[[str], None]


@pytest.fixture
def use_broker(settings: Settings) -> Iterator[UseBroker]:
    """Return a function that makes Timba use the broker at a URL."""

    def use(url: str) -> None:
        settings.BROKER_URL = url
        current_app.conf.broker_url = url
        pools.reset()
        current_app._after_fork()

    yield use
    use("")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def refusing_port() -> int:
    """Return a port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.only_on("sqlite")
def test_without_a_broker_a_datagram_wakes_the_worker(receive: Receive) -> None:
    listener = Listener(WORK_CHANNEL)
    try:
        notify_workers([receive().pk])
        started = time.monotonic()
        listener.wait(120)
        assert time.monotonic() - started < 60
    finally:
        listener.close()


def test_without_a_broker_and_without_a_worker_notifying_does_nothing(receive: Receive) -> None:
    notify_workers([receive().pk])


@pytest.mark.parametrize("port", ["refusing_port", "silent_port"])
def test_a_broker_that_refuses_or_is_silent_is_called_once(
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
    called = record_connections(monkeypatch)
    notify_workers(file_ids)
    assert called.count(broker) == 1


def test_a_slow_broker_does_not_delay_an_upload(
    receive: Receive, use_broker: UseBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_broker("memory://")
    sent = []

    def send_slowly(arguments: tuple[str], *, queue: str) -> None:
        sent.append(arguments)

    # Each message takes three quarters of a second.
    clock = SimpleNamespace(monotonic=lambda: 0.75 * len(sent))
    monkeypatch.setattr(tasks, "time", clock)
    monkeypatch.setattr(process, "apply_async", send_slowly)
    notify_workers([receive().pk for _ in range(10)])
    assert len(sent) == 3


def test_large_files_wait_in_a_queue_of_their_own(receive: Receive, use_broker: UseBroker) -> None:
    text, readings = receive(), receive(READING, name="a.csv")
    many = receive(READING * 40_000, name="b.csv")
    use_broker("memory://")
    notify_workers([text.pk, readings.pk, many.pk])
    assert messages(FAST) == [str(text.pk), str(readings.pk)]
    assert messages(BULK) == [str(many.pk)]


@pytest.mark.django_db(transaction=True)
def test_an_upload_succeeds_without_its_broker(
    receive: Receive, use_broker: UseBroker, refusing_port: int
) -> None:
    use_broker(f"redis://127.0.0.1:{refusing_port}/0")
    file = receive()
    assert File.unscoped.get().status == File.Status.PENDING
    process(str(file.pk))
    assert File.unscoped.get().status == File.Status.SUCCESS


@pytest.mark.django_db(transaction=True)
def test_a_message_is_sent_after_the_commit_and_not_before(
    receive: Receive, use_broker: UseBroker
) -> None:
    use_broker("memory://")
    with deferred_commit():
        file = receive()
        assert messages() == []
    assert messages() == [str(file.pk)]


def test_the_sweep_notifies_again_of_files_whose_message_was_lost(
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


def test_a_worker_that_shuts_down_releases_its_files_and_wakes_another(
    receive: Receive, use_broker: UseBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_stopping", tasks.SharedFlag())
    file = receive(READING, name="a.csv")
    use_broker("memory://")
    worker_shutting_down.send(sender="bulk@here", sig="SIGTERM", how="Warm", exitcode=0)
    process(str(file.pk))
    file.refresh_from_db()
    assert (file.status, file.attempts, file.lease_until, file.fencing_token) == (
        "PENDING",
        0,
        None,
        1,
    )
    assert messages() == [str(file.pk)]


def test_forked_processes_see_that_their_worker_stops() -> None:
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
    """Return the ids of the files that a queue holds messages for."""
    with current_app.connection_for_read() as connection:
        waiting = connection.SimpleQueue(queue)
        queued = [waiting.get(block=False) for _ in range(waiting.qsize())]
        for message in queued:
            if take:
                message.ack()
            else:
                message.requeue()
        waiting.close()
        return [message.payload[0][0] for message in queued]
