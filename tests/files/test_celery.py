"""With a Redis that is killed, emptied or silent, no file is lost and no upload is delayed."""

from __future__ import annotations

import gzip
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from celery import Celery

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import PASSWORD, SERVE, ApiClient, TimbaProcess
from tests.servers import DedicatedServer
from timba.config.settings.base import CELERY_BROKER_TRANSPORT_OPTIONS
from timba.files.tasks import TaskFailed, log_exceptions, queued_messages
from tools.servers.databases import Redis

pytestmark = pytest.mark.journey

READINGS = b"%d,21.50,2026-01-01T00:00:00Z\n"


@pytest.fixture(scope="module")
def redis() -> Iterator[DedicatedServer]:
    with DedicatedServer(Redis()) as own:
        yield own


@pytest.fixture(scope="module")
def process(
    redis: DedicatedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TimbaProcess]:
    folder = tmp_path_factory.mktemp("celery")
    with TimbaProcess(folder, SERVE, **redis.variables()) as process:
        process.create_owner()
        yield process


@pytest.fixture
def timba(process: TimbaProcess) -> TimbaProcess:
    """Return a running Timba, even after a test that stopped it."""
    if not process.children():
        process.start()
    return process


@pytest.fixture
def owner(timba: TimbaProcess) -> ApiClient:
    return timba.sign_in("owner", PASSWORD)


@pytest.fixture
def celery(redis: DedicatedServer) -> Iterator[Celery]:
    """Return an app that sends the workers control commands."""
    app = Celery(broker=redis.variables()["BROKER_URL"], set_as_current=False)
    app.conf.broker_transport_options = CELERY_BROKER_TRANSPORT_OPTIONS
    yield app
    app.close()


def mains(timba: TimbaProcess) -> dict[str, int]:
    """Return the pids of the main processes by name: fast, bulk and beat."""
    return {
        next((name for name in ("fast", "bulk") if f"--queues={name}" in line), "beat"): pid
        for pid, line in timba.mains().items()
        if " celery " in line
    }


class ContinuousUpload:
    """Uploads continuously in a thread."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._upload)
        self.task_ids: list[str] = []
        self.statuses: list[int] = []

    def __enter__(self) -> ContinuousUpload:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _upload(self) -> None:
        number = int(time.time() * 1000) % 1_000_000
        while not self._stopping.wait(0.25):
            number += 1
            batch = [
                ("files", (f"{number}.txt", b"larch %d\n" % number)),
                ("files", (f"{number}.csv", READINGS % number)),
            ]
            response = self._client.post("/api/upload/", files=batch)
            self.statuses.append(response.status_code)
            self.task_ids += response.json()["task_ids"]

    def wait_for_another(self) -> None:
        """Return once an upload that began after this call has been answered."""
        answered = len(self.statuses)
        wait_until(
            lambda: len(self.statuses) > answered + 1, seconds=60, what="uploads are answered"
        )


def wait_for_all(client: ApiClient, task_ids: list[str], *, seconds: float) -> None:
    """Wait until every file is in SUCCESS."""
    left = set(task_ids)

    def settled() -> bool:
        some = sorted(left)[:99]
        tasks = client.get("/api/task-status/", params={"task_id": [*some, some[0]]}).json()
        done = {task["task_id"] for task in tasks["tasks"] if task["status"] == "SUCCESS"}
        left.difference_update(done)
        time.sleep(0.5)  # constant polling would occupy the web server
        return not left

    wait_until(settled, seconds=seconds, what="every file is processed")


def test_a_message_wakes_the_worker(timba: TimbaProcess, owner: ApiClient) -> None:
    beat = mains(timba)["beat"]
    os.kill(beat, signal.SIGSTOP)  # no sweep notifies the workers again
    try:
        for number in range(3):
            sent = owner.post("/api/upload/", files=[("files", (f"{number}.txt", b"larch\n"))])
            assert owner.wait_for_task(sent.json()["task_ids"][0])["status"] == "SUCCESS"
    finally:
        os.kill(beat, signal.SIGCONT)
    assert owner.get("/health/ready").json()["checks"]["broker"] == "ok"


@pytest.mark.parametrize("failure", [MemoryError(), RecursionError(), SystemExit(3)])
def test_a_task_failure_does_not_end_the_worker(failure: BaseException) -> None:
    @log_exceptions
    def task() -> None:
        raise failure

    with pytest.raises(TaskFailed):
        task()


def test_messages_in_redis_are_counted(redis: DedicatedServer, celery: Celery) -> None:
    """Otherwise the sweeper would notify repeatedly of files in a long queue."""
    queue = f"unconsumed-{time.time_ns()}"
    assert queued_messages(celery, [queue]) == 0
    for _ in range(3):
        celery.send_task("nobody.listens", queue=queue)
    assert queued_messages(celery, [queue, "another"]) == 3


def kill_and_restart(redis: DedicatedServer, uploads: ContinuousUpload) -> None:
    redis.kill()
    try:
        uploads.wait_for_another()
    finally:
        redis.start()


def fall_silent(redis: DedicatedServer, uploads: ContinuousUpload) -> None:
    redis.pause()
    try:
        uploads.wait_for_another()
    finally:
        redis.resume()


def empty(redis: DedicatedServer, _uploads: ContinuousUpload) -> None:
    app = Celery(broker=redis.variables()["BROKER_URL"], set_as_current=False)
    with app.connection_for_write() as connection:
        for _ in range(20):
            connection.default_channel.client.flushall()
            time.sleep(0.1)
    app.close()


@pytest.mark.parametrize("harm", [kill_and_restart, fall_silent, empty])
def test_a_failing_redis_loses_no_file_and_delays_no_upload(
    timba: TimbaProcess,
    owner: ApiClient,
    redis: DedicatedServer,
    harm: Callable[[DedicatedServer, ContinuousUpload], None],
) -> None:
    with ContinuousUpload(owner) as uploads:
        uploads.wait_for_another()
        harm(redis, uploads)
        uploads.wait_for_another()
    assert set(uploads.statuses) == {202}
    wait_for_all(owner, uploads.task_ids, seconds=600)
    assert set(mains(timba)) == {"fast", "bulk", "beat"}


def test_a_worker_that_no_longer_consumes_is_replaced(
    timba: TimbaProcess, owner: ApiClient, celery: Celery
) -> None:
    replies: list[dict[str, Any]] = []

    def both_listen() -> bool:
        replies[:] = celery.control.ping(timeout=10, limit=2)
        return len(replies) == 2

    wait_until(both_listen, seconds=60, what="both workers listen")
    before = mains(timba)
    [fast] = [name for response in replies for name in response if "fast" in name]
    assert celery.control.cancel_consumer("fast", destination=[fast], reply=True, timeout=60)
    sent = owner.post("/api/upload/", files=[("files", ("deaf.txt", b"larch\n"))])
    task = owner.wait_for_task(sent.json()["task_ids"][0], seconds=120)
    assert task["status"] == "SUCCESS"
    after = mains(timba)
    assert after["fast"] != before["fast"]
    assert (after["bulk"], after["beat"]) == (before["bulk"], before["beat"])


def test_an_orderly_stop_releases_the_file_in_progress_and_leaves_a_message_for_another_worker(
    timba: TimbaProcess, owner: ApiClient, celery: Celery
) -> None:
    """Otherwise three restarts during one long file would fail it."""
    long = gzip.compress(READINGS % 7 * 3_000_000, compresslevel=1)
    owner.post("/api/upload/", files=[("files", ("long.csv.gz", long))])
    wait_until(lambda: runs_of(timba) == ("PENDING", 1, True), seconds=60, what="it is in work")
    timba.stop(signal.SIGTERM)
    assert runs_of(timba) == ("PENDING", 0, False)
    assert queued_messages(celery, ["fast", "bulk"]) == 1


def runs_of(timba: TimbaProcess) -> tuple[str, int, bool]:
    """Return the long file's status, how often it was claimed, and whether it is leased."""
    place = f"file:{timba.data_folder / 'timba.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(place, uri=True, timeout=30)) as connection:
        [(status, attempts, leased)] = connection.execute(
            "SELECT status, attempts, lease_until IS NOT NULL FROM files_file"
            " WHERE name = 'long.csv.gz'"
        ).fetchall()
    return status, attempts, bool(leased)
