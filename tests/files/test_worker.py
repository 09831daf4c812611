"""The embedded worker takes what waits, stops politely, and survives what goes wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from pytest_django.fixtures import Settings

from tests.broken_databases import break_at
from tests.factories import UserFactory
from tests.files.conftest import Receive, Take, let_an_hour_pass, lose_worker
from tests.files.samples import photo
from tests.journeys.processes import wait_until
from timba.db import outages
from timba.files import processing, worker
from timba.files.leases import claim
from timba.files.models import File
from timba.files.processing import LOST
from timba.files.runs import Run
from timba.files.scheduling import Slots
from timba.files.storage import LocalStorage
from timba.files.tasks import WORK_CHANNEL
from timba.files.worker import Worker
from timba.wakeup import notify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run_worker() -> Iterator[Callable[[], Worker]]:
    """Return a way to start a worker; it is stopped in the end, and must stop soon."""
    running: list[tuple[Worker, threading.Thread]] = []

    def start() -> Worker:
        one = Worker()
        thread = threading.Thread(target=one.run)
        thread.start()
        running.append((one, thread))
        return one

    yield start
    for one, thread in running:
        one.stop()
        notify(WORK_CHANNEL)
        thread.join(timeout=60)
        assert not thread.is_alive()


def all_settled() -> bool:
    return not File.unscoped.filter(status=File.Status.PENDING).exists()


def test_a_worker_takes_what_waits_and_what_comes(
    receive: Receive, run_worker: Callable[[], Worker]
) -> None:
    for _ in range(5):
        receive()
    run_worker()
    wait_until(all_settled, seconds=60, what="all files are settled")
    for _ in range(5):
        receive()
    wait_until(all_settled, seconds=60, what="all files are settled")
    assert set(File.unscoped.values_list("status", "attempts")) == {("SUCCESS", 1)}


def test_a_bell_wakes_the_worker_long_before_it_would_look_again(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_POLL_SECONDS", 120.0)
    listening, wait = threading.Event(), worker.Listener.wait

    def listen(bell: worker.Listener, seconds: float) -> None:
        listening.set()
        wait(bell, seconds)

    monkeypatch.setattr(worker.Listener, "wait", listen)
    run_worker()
    assert listening.wait(60)
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")


def test_a_file_whose_bell_was_lost_is_found_all_the_same(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_worker()
    monkeypatch.setattr(worker.Listener, "wait", lambda *_: time.sleep(0.1))
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")


def test_the_worker_sweeps_by_itself(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SWEEP_SECONDS", 0.1)
    file = receive()
    for _ in range(3):
        claim(file.pk)
        lose_worker(file)
    run_worker()
    wait_until(all_settled, seconds=60, what="the lost file is settled")
    assert File.unscoped.get().error == LOST


@pytest.mark.parametrize(
    "trouble",
    [OperationalError(2006, "Server has gone away"), InterfaceError(0, ""), ZeroDivisionError()],
)
def test_a_worker_goes_on_after_trouble(
    receive: Receive,
    run_worker: Callable[[], Worker],
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:
    """The database is away for a while, whatever is asked of it."""
    monkeypatch.setattr(worker, "_ERROR_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_SWEEP_SECONDS", 0.05)
    troubles = []

    def trouble_at_first(what: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if len(troubles) < 20:
                troubles.append(what.__name__)
                raise trouble
            return what(*args, **kwargs)

        return call

    for name in ("process_claimed", "sweep_files"):
        monkeypatch.setattr(worker, name, trouble_at_first(getattr(worker, name)))
    monkeypatch.setattr(Slots, "claim", trouble_at_first(Slots.claim))
    run_worker()
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")
    assert {"claim", "sweep_files"} <= set(troubles)


def test_a_worker_whose_connection_breaks_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_logged_at", {})
    worker = Worker()
    worker.stop()  # so that it waits for nothing
    for _ in range(3):
        with connection.execute_wrapper(break_at("files_file")):
            assert worker._process_next(0)
    assert not worker._process_next(0)
    told = [record.name for record in caplog.records if record.name.startswith("timba")]
    assert told == ["timba.db.outages"]


def test_a_worker_that_is_stopped_gives_back_what_it_has_in_hand(
    receive: Receive,
    run_worker: Callable[[], Worker],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading = threading.Event()
    read = processing._read

    def read_slowly(run: Run) -> object:
        reading.set()
        while True:
            run.progress(0.5)
            time.sleep(0.01)

    monkeypatch.setattr(processing, "_read", read_slowly)
    one = run_worker()
    receive()
    assert reading.wait(60)
    one.stop()
    back = File.unscoped.filter(lease_until=None, attempts=0, status="PENDING")
    wait_until(back.exists, seconds=60, what="the file is given back")
    monkeypatch.setattr(processing, "_read", read)
    run_worker()
    wait_until(all_settled, seconds=60, what="the file is settled")


@pytest.mark.parametrize("threads", [1, 2])
def test_one_clients_files_keep_nobody_elses_waiting(
    receive: Receive,
    run_worker: Callable[[], Worker],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    settings.TIMBA_WORKER_THREADS = threads
    done, read = threading.Event(), processing._read
    theirs = UserFactory().client

    def read_when_done(run: Run) -> object:
        if run.client_id != theirs.pk:
            assert done.wait(60)
        return read(run)

    monkeypatch.setattr(processing, "_read", read_when_done)
    large = receive("7,21.5,2026-01-01T00:00:00Z\n" * 40_000, name="a.csv")
    quick = [receive() for _ in range(5)]
    run_worker()
    in_work = File.unscoped.filter(lease_until__isnull=False)
    wait_until(lambda: in_work.count() == 2, seconds=60, what="two of its files are in work")
    File.unscoped.filter(pk=quick[-1].pk).update(client=theirs)
    settled = File.unscoped.filter(status="SUCCESS")
    wait_until(settled.exists, seconds=60, what="the other client's file is settled")
    assert (settled.get().pk, in_work.count()) == (quick[-1].pk, 2)
    done.set()
    wait_until(all_settled, seconds=60, what="all files are settled")
    large.refresh_from_db()
    assert large.status == "SUCCESS"


def test_a_worker_that_is_stopped_leaves_no_process(
    receive: Receive, run_worker: Callable[[], Worker]
) -> None:
    before = children()
    one = run_worker()
    receive(photo(), name="a.jpg")
    wait_until(all_settled, seconds=60, what="the photo is settled")
    sandboxes = children() - before
    assert sandboxes
    one.stop()
    wait_until(lambda: not sandboxes & children(), seconds=60, what="the sandbox is gone")


def test_a_worker_that_is_stopped_ends_its_sweep_too(
    take: Take, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SWEEP_SECONDS", 0.05)
    sweeping, stopped = threading.Event(), threading.Event()
    purge = LocalStorage.purge

    def purge_when_stopped(self: LocalStorage, name: str) -> None:
        sweeping.set()
        assert stopped.wait(60)
        purge(self, name)

    monkeypatch.setattr(LocalStorage, "purge", purge_when_stopped)
    for _ in range(3):
        take()
    let_an_hour_pass()
    one = run_worker()
    assert sweeping.wait(60)
    one.stop()
    stopped.set()
    one._threads[-1].join(60)
    assert File.unscoped.count() == 2


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


def test_the_command_works_until_it_is_told_to_stop(receive: Receive) -> None:
    receive()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop_when_settled() -> None:
        try:
            wait_until(all_settled, seconds=60, what="the file is settled")
        finally:
            connection.close()
            os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop_when_settled)
    watcher.start()
    try:
        call_command("work")
    finally:
        watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert all_settled()
