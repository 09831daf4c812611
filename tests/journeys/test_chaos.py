"""Chaos test: processes and servers are killed during uploads, and no data is lost or doubled.

`make chaos` draws a new seed each time and prints it; `SEED=… make chaos` repeats one.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.journeys.deployment import Deployment, Uploaders
from tests.journeys.processes import wait_until
from tests.journeys.timba_process import ApiClient
from tests.journeys.upload_cases import REPEATS, UploadCase, build_upload_cases, statistics_of

pytestmark = pytest.mark.journey

SEED = int(os.environ.get("SEED") or 1848)
WORKERS, POOL_PROCESSES, SANDBOXES, WEB_WORKERS = 4, 5, 6, 2
UPLOADERS = 6
FAULT_INTERVAL_SECONDS = 0.6
IDLE_TIMEOUT_SECONDS = 2
S3_OUTAGE_SECONDS = 10
SETTLE_TIMEOUT_SECONDS = 600
# A failed file may be retried; there is one event of success.
EVENT_ORDER = re.compile(r"created (failed updated )*(succeeded|failed) ")


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path) as deployment:
        yield deployment


class Chaos:
    """Injects faults one after another in random order."""

    def __init__(self, deployment: Deployment, rng: random.Random) -> None:
        self._deployment = deployment
        self._rng = rng
        self._s3: threading.Thread | None = None
        self.injected: Counter[str] = Counter()

    def run(self) -> None:
        faults: list[Callable[[], None]] = [
            *[lambda: self._kill("worker", self._deployment.workers)] * WORKERS,
            *[lambda: self._kill("pool process", self._deployment.pool_processes)] * POOL_PROCESSES,
            *[lambda: self._kill("sandbox", self._deployment.sandboxes)] * SANDBOXES,
            *[lambda: self._kill("web worker", self._deployment.web_workers)] * WEB_WORKERS,
            *[self._kill_redis] * 3,
            self._flush_redis,
        ]
        self._rng.shuffle(faults)
        # In the first half, while files are still uploaded.
        faults.insert(self._rng.randrange(len(faults) // 2), self._interrupt_s3)
        for fault in faults:
            fault()
            time.sleep(self._rng.uniform(0.5, 1.5) * FAULT_INTERVAL_SECONDS)
        assert self._s3 is not None
        self._s3.join()

    def _kill(self, name: str, find: Callable[[], list[int]]) -> None:
        """Kill one of the processes, preferably while a file is being processed."""
        victims: list[int] = []
        deadline = time.monotonic() + IDLE_TIMEOUT_SECONDS
        while not self._deployment.is_processing() and time.monotonic() < deadline:
            time.sleep(0.05)

        def has_victims() -> bool:
            victims[:] = sorted(find())
            return bool(victims)

        wait_until(has_victims, seconds=60, what=f"there is a {name} to be killed")
        os.kill(self._rng.choice(victims), signal.SIGKILL)
        self.injected[name] += 1

    def _kill_redis(self) -> None:
        self._deployment.redis.kill()
        time.sleep(self._rng.uniform(0.2, 1.5))
        self._deployment.redis.start()
        self.injected["Redis killed"] += 1

    def _flush_redis(self) -> None:
        with redis.Redis.from_url(self._deployment.redis.variables()["BROKER_URL"]) as client:
            client.flushall()
        self.injected["Redis emptied"] += 1

    def _interrupt_s3(self) -> None:
        """Kill or pause S3 for a while; the next faults are injected in the meantime."""
        server, paused = self._deployment.s3, self._rng.random() < 0.5
        (server.pause if paused else server.kill)()

        def restore() -> None:
            time.sleep(S3_OUTAGE_SECONDS)
            (server.resume if paused else server.start)()

        self._s3 = threading.Thread(target=restore)
        self._s3.start()
        self.injected["S3 paused" if paused else "S3 killed"] += 1


def test_no_file_is_lost_duplicated_or_stuck(deployment: Deployment) -> None:
    print(f"\nSEED={SEED}")
    rng = random.Random(SEED)
    cases = build_upload_cases(rng)
    uploaders = Uploaders(deployment, cases, seed=SEED)
    chaos = Chaos(deployment, rng)
    started = time.monotonic()
    threads = uploaders.start(UPLOADERS, pause=0.5)
    try:
        chaos.run()
    finally:
        for thread in threads:
            thread.join()
    seconds_of_faults = time.monotonic() - started
    assert uploaders.errors == []
    client = deployment.sign_in()
    retried = settle(deployment, client, cases, uploaders)
    seconds_to_settle = time.monotonic() - started - seconds_of_faults
    counts = {
        "files": len(cases),
        "stuck": unsettled_count(deployment),
        "lost": len(find_lost(client, cases, uploaders)),
        "twice": duplicate_count(deployment, cases),
        "orphans": len(deployment.object_keys() ^ referenced_keys(deployment)),
        "retried": retried,
        "requests without response": uploaders.timeouts,
        "statuses": uploaders.statuses,
        "seconds of faults, of settling": (round(seconds_of_faults), round(seconds_to_settle)),
    }
    print(f"SEED={SEED}: {dict(chaos.injected)}; {counts}")
    assert {name: counts[name] for name in ("stuck", "lost", "twice", "orphans")} == {
        "stuck": 0,
        "lost": 0,
        "twice": 0,
        "orphans": 0,
    }
    check_statistics(client, cases)
    check_events(deployment, uploaders)
    check_repeated_uploads(client, cases, uploaders, rng)
    assert chaos.injected.total() == WORKERS + POOL_PROCESSES + SANDBOXES + WEB_WORKERS + 5


def settle(
    deployment: Deployment, client: ApiClient, cases: list[UploadCase], uploaders: Uploaders
) -> int:
    """Wait until every file is settled; retry failures whose error advises it; return how many."""
    # Interrupted uploads and unused derivatives are deleted an hour later.
    deployment.query(
        "UPDATE files_file SET touched_at = touched_at - INTERVAL '1 hour'"
        " WHERE status = 'RECEIVING' RETURNING id"
    )
    wait_until(
        lambda: not unsettled_count(deployment),
        seconds=SETTLE_TIMEOUT_SECONDS,
        what="all is settled",
    )
    good = {file_id(uploaders.responses[case.name]) for case in cases if case.is_valid}
    retried = 0
    for key, error in deployment.query("SELECT id, error FROM files_file WHERE status = 'FAILURE'"):
        if str(key) in good:
            assert "try again" in error, error
            assert client.post(f"/api/files/{key}/retry/").status_code == 202
            retried += 1
    wait_until(
        lambda: not unsettled_count(deployment),
        seconds=SETTLE_TIMEOUT_SECONDS,
        what="all is settled",
    )
    deployment.query(
        "UPDATE files_derivative SET created_at = created_at - INTERVAL '1 hour' RETURNING id"
    )
    orphans: set[str] = set()

    def has_no_orphans() -> bool:
        orphans.clear()
        orphans.update(deployment.object_keys() ^ referenced_keys(deployment))
        return not orphans

    try:
        wait_until(
            has_no_orphans, seconds=SETTLE_TIMEOUT_SECONDS, what="all orphaned objects are deleted"
        )
    finally:
        print("\n".join(orphans))
    return retried


def file_id(response: dict[str, str]) -> str:
    return response.get("file_id") or response["id"]


def unsettled_count(deployment: Deployment) -> int:
    query = "SELECT COUNT(*) FROM files_file WHERE status IN ('RECEIVING', 'PENDING')"
    return int(deployment.query(query)[0][0])


def referenced_keys(deployment: Deployment) -> set[str]:
    """Return the keys that rows reference, except readings of failed files, which are deleted."""
    rows = deployment.query(
        "SELECT storage_key FROM files_file UNION SELECT d.storage_key FROM files_derivative d"
        " JOIN files_file f ON f.id = d.file_id"
        " WHERE d.is_current AND NOT (d.role = 'readings' AND f.status = 'FAILURE')"
    )
    return {key for (key,) in rows}


def find_lost(client: ApiClient, cases: list[UploadCase], uploaders: Uploaders) -> list[str]:
    """Return a message for each acknowledged file whose status, result or content is wrong."""
    errors = []
    for case in cases:
        file = client.get(f"/api/files/{file_id(uploaders.responses[case.name])}/").json()
        expected = "SUCCESS" if case.is_valid else "FAILURE"
        if (file.get("status"), file.get("size")) != (expected, len(case.content)):
            errors.append(f"{case.name}: {file}")
        if case.lines:
            result = file["result"]
            counted = (result["accepted"], result["rejected"])
            if counted != (len(case.lines) * REPEATS, case.rejected * REPEATS):
                errors.append(f"{case.name}: {result}")
        url = f"/api/files/{file['id']}/content/"
        if client.get(url).content != case.content:
            errors.append(f"{case.name}: other bytes")
    print("\n".join(errors))
    return errors


def duplicate_count(deployment: Deployment, cases: list[UploadCase]) -> int:
    """Return the number of superfluous rows: of files, and of totals of abandoned runs."""
    rows = int(deployment.query("SELECT COUNT(*) FROM files_file")[0][0])
    dead = deployment.query(
        "SELECT COUNT(*) FROM temperatures_citytotals t JOIN files_file f ON f.id = t.file_id"
        " WHERE f.run IS DISTINCT FROM t.run"
    )
    return rows - len(cases) + int(dead[0][0])


def check_statistics(client: ApiClient, cases: list[UploadCase]) -> None:
    for city_id, expected in statistics_of(cases).items():
        response = client.get(f"/temperature-readings/{city_id}/").json()
        assert {name: response[name] for name in expected} == expected


def check_events(deployment: Deployment, uploaders: Uploaders) -> None:
    """Check the order of each file's events, and that no sequence number is missing."""
    types: defaultdict[str, str] = defaultdict(str)
    events = deployment.query(
        "SELECT key, type, sequence FROM events_outboxevent WHERE topic = 'file_events'"
        " ORDER BY sequence"
    )
    for key, kind, _ in events:
        types[key] += kind.rpartition(".")[2] + " "
    assert set(types) == {file_id(response) for response in uploaders.responses.values()}
    assert {events for events in types.values() if not EVENT_ORDER.fullmatch(events)} == set()
    gaps = deployment.query(
        "SELECT client_id, MAX(sequence) - COUNT(*) FROM events_outboxevent GROUP BY 1"
    )
    assert {missing for _, missing in gaps} == {0}


def check_repeated_uploads(
    client: ApiClient, cases: list[UploadCase], uploaders: Uploaders, rng: random.Random
) -> None:
    """Upload some files again with their keys: each gets its first response again."""
    for case in rng.sample(cases, 20):
        again = uploaders.upload(client, case, timeout=60)
        assert again.json() == uploaders.responses[case.name]
