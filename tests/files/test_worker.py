"""The embedded worker processes waiting files, stops in order, and survives errors."""

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

from tests.database_faults import break_connection_at
from tests.factories import UserFactory
from tests.files.conftest import FinishUpload, Receive
from tests.files.runs import expire_lease, let_an_hour_pass
from tests.files.samples import photo
from tests.journeys.processes import wait_until
from timba.db import errors
from timba.files import processing, worker
from timba.files.leases import Run, claim
from timba.files.models import File
from timba.files.processing import LOST
from timba.files.scheduling import Slots
from timba.files.storage import LocalStorage
from timba.files.tasks import WORK_CHANNEL
from timba.files.worker import Worker
from timba.wakeup import notify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run_worker() -> Iterator[Callable[[], Worker]]:
    """Return a function that starts a worker; in the end it is stopped, and must stop soon."""
    running: list[tuple[Worker, threading.Thread]] = []

    def start() -> Worker:
        started = Worker()
        thread = threading.Thread(target=started.run)
        thread.start()
        running.append((started, thread))
        return started

    yield start
    for started, thread in running:
        started.stop()
        notify(WORK_CHANNEL)
        thread.join(timeout=60)
        assert not thread.is_alive()


def all_settled() -> bool:
    return not File.unscoped.filter(status=File.Status.PENDING).exists()


def test_a_worker_processes_files_that_wait_and_files_that_arrive(
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


@pytest.mark.only_on("sqlite", "postgresql")
def test_a_notification_wakes_the_worker_long_before_its_next_poll(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_POLL_SECONDS", 120.0)
    listening, wait = threading.Event(), worker.Listener.wait

    def listen(listener: worker.Listener, seconds: float) -> None:
        listening.set()
        wait(listener, seconds)

    monkeypatch.setattr(worker.Listener, "wait", listen)
    run_worker()
    assert listening.wait(60)
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")


@pytest.mark.only_on("sqlite")
def test_a_file_whose_notification_was_lost_is_found_by_polling(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_worker()
    monkeypatch.setattr(worker.Listener, "wait", lambda *_: time.sleep(0.1))
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")


@pytest.mark.only_on("sqlite")
def test_the_worker_sweeps_by_itself(
    receive: Receive, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SWEEP_SECONDS", 0.1)
    file = receive()
    for _ in range(3):
        claim(file.pk)
        expire_lease(file)
    run_worker()
    wait_until(all_settled, seconds=60, what="the lost file is settled")
    assert File.unscoped.get().error == LOST


@pytest.mark.parametrize(
    "error",
    [OperationalError(2006, "Server has gone away"), InterfaceError(0, ""), ZeroDivisionError()],
)
def test_a_worker_continues_after_errors(
    receive: Receive,
    run_worker: Callable[[], Worker],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Every step of the worker fails for a while, as during a database outage."""
    monkeypatch.setattr(worker, "_ERROR_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_SWEEP_SECONDS", 0.05)
    failed = []

    def fail_at_first(step: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if len(failed) < 20:
                failed.append(step.__name__)
                raise error
            return step(*args, **kwargs)

        return call

    for name in ("process_claimed", "sweep_files"):
        monkeypatch.setattr(worker, name, fail_at_first(getattr(worker, name)))
    monkeypatch.setattr(Slots, "claim", fail_at_first(Slots.claim))
    run_worker()
    receive()
    wait_until(all_settled, seconds=60, what="the file is settled")
    assert {"claim", "sweep_files"} <= set(failed)


def test_a_worker_continues_after_its_connection_broke(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_logged_at", {})
    worker = Worker()
    worker.stop()  # so that it waits for nothing
    for _ in range(3):
        with connection.execute_wrapper(break_connection_at("files_file")):
            assert worker._process_next(0)
    assert not worker._process_next(0)
    loggers = [record.name for record in caplog.records if record.name.startswith("timba")]
    assert loggers == ["timba.db.errors"]


def test_a_worker_that_is_stopped_releases_its_file(
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
    running = run_worker()
    receive()
    assert reading.wait(60)
    running.stop()
    released = File.unscoped.filter(lease_until=None, attempts=0, status="PENDING")
    wait_until(released.exists, seconds=60, what="the file is released")
    monkeypatch.setattr(processing, "_read", read)
    run_worker()
    wait_until(all_settled, seconds=60, what="the file is settled")


@pytest.mark.only_on("sqlite", "postgresql")
def test_another_worker_is_woken_when_a_worker_that_is_stopped_releases_its_file(
    receive: Receive,
    run_worker: Callable[[], Worker],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_POLL_SECONDS", 600.0)
    settings.TIMBA_WORKER_THREADS = 2
    reading, listening, busy = threading.Event(), set(), set()
    read, wait = processing._read, worker.Listener.wait

    def read_slowly_at_first(run: Run) -> object:
        busy.add(threading.get_ident())
        while run.run == 1:
            reading.set()
            run.progress(0.5)
            time.sleep(0.01)
        return read(run)

    def listen(listener: worker.Listener, seconds: float) -> None:
        listening.add(threading.get_ident())
        wait(listener, seconds)

    monkeypatch.setattr(processing, "_read", read_slowly_at_first)
    monkeypatch.setattr(worker.Listener, "wait", listen)
    first = run_worker()
    receive()
    assert reading.wait(60)
    run_worker()
    # The busy thread may have waited before there was a file.
    wait_until(
        lambda: len(listening - busy) == 5, seconds=60, what="the other threads wait for a wake-up"
    )
    first.stop()
    wait_until(all_settled, seconds=60, what="the file is settled")
    file = File.unscoped.get()
    assert (file.status, file.attempts, file.run) == ("SUCCESS", 1, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_files_of_one_client_do_not_block_another(
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
    large = receive(f"7,21.5,2026-01-01T00:00:00Z{' ' * 999}\n" * 1100, name="a.csv")
    quick = [receive() for _ in range(5)]
    run_worker()
    claimed = File.unscoped.filter(lease_until__isnull=False)
    wait_until(
        lambda: claimed.count() == 2, seconds=60, what="two of its files are being processed"
    )
    File.unscoped.filter(pk=quick[-1].pk).update(client=theirs)
    settled = File.unscoped.filter(status="SUCCESS")
    wait_until(settled.exists, seconds=60, what="the other client's file is settled")
    assert (settled.get().pk, claimed.count()) == (quick[-1].pk, 2)
    done.set()
    wait_until(all_settled, seconds=60, what="all files are settled")
    large.refresh_from_db()
    assert large.status == "SUCCESS"


@pytest.mark.only_on("sqlite")
def test_a_worker_that_is_stopped_leaves_no_process(
    receive: Receive, run_worker: Callable[[], Worker]
) -> None:
    before = children()
    running = run_worker()
    receive(photo(), name="a.jpg")
    wait_until(all_settled, seconds=60, what="the photo is settled")
    sandboxes = children() - before
    assert sandboxes
    running.stop()
    wait_until(lambda: not sandboxes & children(), seconds=60, what="the sandbox is gone")


@pytest.mark.only_on("sqlite")
def test_a_worker_that_is_stopped_ends_its_sweep_too(
    finish_upload: FinishUpload, run_worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
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
        finish_upload()
    let_an_hour_pass()
    running = run_worker()
    assert sweeping.wait(60)
    running.stop()
    stopped.set()
    running._threads[-1].join(60)
    assert File.unscoped.count() == 2


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


@pytest.mark.only_on("sqlite")
def test_the_command_runs_until_it_is_stopped(receive: Receive) -> None:
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
