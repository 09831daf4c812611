"""Chaos test: processes and servers are killed during uploads, and no data is lost or doubled.

`make chaos` draws a new seed each time, prints it, and kills more; `SEED=… make chaos` repeats one.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests
from PIL import ExifTags

from tests.files import samples
from tests.journeys.processes import child_pids, wait_until
from tests.journeys.timba_process import PASSWORD, SERVE, ApiClient, TimbaProcess
from tests.servers import DedicatedServer
from timba.config.env import parse_storage_url
from timba.files.s3 import S3Storage
from tools.servers.databases import PostgreSQL, Redis
from tools.servers.s3 import VersityGW

pytestmark = pytest.mark.journey

SEED = int(os.environ.get("SEED") or 1848)
# How often each fault is injected; S3 fails once. With each round there are more files.
ROUNDS = int(os.environ.get("ROUNDS") or 1)
PROCESSES = ("worker", "pool process", "sandbox", "sandbox", "web worker")
LINES = 50_000
UPLOADERS = 6
FAULT_INTERVAL_SECONDS = 0.6
S3_OUTAGE_SECONDS = 6
SETTLE_SECONDS = 600
SHORT_TIMEOUT_SECONDS = 0.03
# 200 is the response to a duplicate. The others make the program repeat its request.
ACCEPTED, REPEATED = (201, 200), (409, 503)
# A failed file may be retried; there is one event of success.
EVENT_ORDER = re.compile(r"created (failed updated )*(succeeded|failed) ")


def valid_files() -> dict[str, bytes]:
    """Return files of every kind by name; no two have the same bytes."""
    files = {}
    for n in range(10 * ROUNDS):
        files[f"load {n}.jpg"] = samples.photo(
            (1200, 900), exif={ExifTags.Base.ImageDescription: str(n)}
        )
        files[f"gate {n}.txt"] = f"Lorry {n} at the gate, seal intact.\n".encode() * (1 + n * 200)
        readings = b"42,%d.00,2026-11-01T00:00:00Z\n" % n * LINES + b"42,hot,2026-11-01\n"
        files[f"yard {n}.csv"] = readings
        readings = b"43,-%d.00,2026-11-01T00:00:00Z\n" % n * 100
        files[f"gate {n}.csv.gz"] = gzip.compress(readings)
    for n in range(4 * ROUNDS):
        files[f"permit {n}.pdf"] = samples.pdf(1 + n, text=f"Permit {n}")
    return files


def malicious_files(rng: random.Random) -> dict[str, bytes]:
    return {
        "broken.jpg": b"\xff\xd8\xff\xe0" + rng.randbytes(5000),
        "bomb.png": samples.png(13_000, 4000),
        "locked.pdf": samples.pdf(1, text="locked", locked=True),
        "broken.pdf": b"%PDF-1.7\n" + rng.randbytes(5000),
    }


class Deployment:
    """`manage.py serve` on its own PostgreSQL, Redis and S3; a context manager's `end` stops it."""

    def __init__(self, folder: Path, end: ExitStack) -> None:
        self.postgres, self.redis, self.s3 = (
            end.enter_context(DedicatedServer(server))
            for server in (PostgreSQL(), Redis(), VersityGW())
        )
        variables = {
            **self.postgres.variables(),
            **self.redis.variables(),
            **self.s3.variables(),
            "TIMBA_LEASE_SECONDS": "3",
        }
        self.store = S3Storage(**parse_storage_url(variables["STORAGE_URL"]))
        self.store.client.create_bucket(Bucket=self.store.bucket)
        self.timba = TimbaProcess(folder / "data", SERVE, **variables)
        end.callback(self.timba.clean_up)
        self.timba.start()
        url = variables["DATABASE_URL"]
        self._database = end.enter_context(psycopg.connect(url, autocommit=True))
        self.owner = self.timba.create_owner()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL query."""
        return self._database.execute(sql.encode()).fetchall()

    def count(self, rows: str) -> int:
        """Return the number of rows that `FROM` and what follows it select."""
        return int(self.query(f"SELECT COUNT(*) FROM {rows}")[0][0])

    def victims(self, name: str) -> list[int]:
        """Return the pids of the running processes of this kind."""
        mains = self.timba.mains()
        workers = [pid for pid, line in mains.items() if " --queues=" in line]
        pool = child_pids(*workers)
        web = child_pids(*(pid for pid, line in mains.items() if " granian " in line))
        kinds = {"worker": workers, "pool process": pool, "web worker": web}
        return child_pids(*pool) if name == "sandbox" else kinds[name]


class Chaos:
    """Injects faults in random order: in processes and, at the same time, in servers."""

    def __init__(self, deployment: Deployment, rng: random.Random) -> None:
        self._deployment = deployment
        self._rng = rng
        self.injected: Counter[str] = Counter()

    def run(self) -> None:
        kills = [partial(self._kill, name) for name in PROCESSES] * ROUNDS
        killer = threading.Thread(target=self._inject, args=[self._rng.sample(kills, len(kills))])
        faults = [*[self._kill_redis, self._empty_redis] * ROUNDS, self._interrupt_s3]
        killer.start()
        # A server ends with the thread that started it.
        self._inject(self._rng.sample(faults, len(faults)))
        killer.join()

    def _inject(self, faults: list[Callable[[], str]]) -> None:
        for fault in faults:
            self.injected[fault()] += 1
            time.sleep(self._rng.uniform(0.5, 1.5) * FAULT_INTERVAL_SECONDS)

    def _kill_redis(self) -> str:
        self._deployment.redis.kill()
        time.sleep(self._rng.uniform(0.2, 1.5))
        self._deployment.redis.start()
        return "Redis killed"

    def _empty_redis(self) -> str:
        with redis.Redis.from_url(self._deployment.redis.variables()["BROKER_URL"]) as client:
            client.flushall()
        return "Redis emptied"

    def _interrupt_s3(self) -> str:
        server, paused = self._deployment.s3, self._rng.random() < 0.5
        (server.pause if paused else server.kill)()
        time.sleep(S3_OUTAGE_SECONDS)
        (server.resume if paused else server.start)()
        return "S3 paused" if paused else "S3 killed"

    def _kill(self, name: str) -> str:
        """Kill one of the processes, preferably while a file is being processed."""
        deadline = time.monotonic() + 2
        in_progress = "files_file WHERE status = 'PENDING' AND lease_until > NOW()"
        while not self._deployment.count(in_progress) and time.monotonic() < deadline:
            time.sleep(0.05)
        victims: list[int] = []

        def has_victims() -> bool:
            victims[:] = sorted(self._deployment.victims(name))
            return bool(victims)

        wait_until(has_victims, seconds=60, what=f"there is a {name} to be killed")
        os.kill(self._rng.choice(victims), signal.SIGKILL)
        return f"{name} killed"


class Uploaders:
    """Threads that upload files, each until it is acknowledged; some requests time out early."""

    def __init__(self, timba: TimbaProcess, files: dict[str, bytes], rng: random.Random) -> None:
        self.files = files
        # An iterator, which threads can share.
        self._waiting = iter(rng.sample(list(files), len(files)))
        self._impatient = set(rng.sample(list(files), len(files) // 5))
        self.responses: dict[str, Any] = {}
        self.statuses: Counter[int | str] = Counter()
        clients = [timba.sign_in("owner", PASSWORD) for _ in range(UPLOADERS)]
        self._threads = [threading.Thread(target=self._upload_all, args=[c]) for c in clients]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _upload_all(self, client: ApiClient) -> None:
        for name in self._waiting:
            deadline = time.monotonic() + SETTLE_SECONDS
            timeout = SHORT_TIMEOUT_SECONDS if name in self._impatient else 60
            while name not in self.responses and time.monotonic() < deadline:
                self._upload(client, name, timeout)
                timeout = 60
                time.sleep(0.5)

    def _upload(self, client: ApiClient, name: str, timeout: float) -> None:
        try:
            response = self.upload(client, name, timeout=timeout)
        except requests.RequestException:
            self.statuses["none"] += 1
            return
        self.statuses[response.status_code] += 1
        if response.status_code in ACCEPTED:
            self.responses[name] = response.json()

    def upload(self, client: ApiClient, name: str, *, timeout: float = 60) -> requests.Response:
        """Upload a file once, with its name as idempotency key."""
        url = "/upload/" if ".csv" in name else "/api/files/"
        files, headers = {"file": (name, self.files[name])}, {"Idempotency-Key": name}
        return client.post(url, files=files, headers=headers, timeout=timeout)

    def ids(self) -> dict[str, str]:
        """Return each acknowledged file's id by its name."""
        return {name: body.get("file_id") or body["id"] for name, body in self.responses.items()}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with ExitStack() as end:
        yield Deployment(tmp_path, end)


def test_no_file_is_lost_duplicated_or_stuck(deployment: Deployment) -> None:
    print(f"\nSEED={SEED}")
    rng = random.Random(SEED)
    valid = valid_files()
    uploaders = Uploaders(deployment.timba, {**valid, **malicious_files(rng)}, rng)
    chaos = Chaos(deployment, rng)
    started = time.monotonic()
    with uploaders:
        chaos.run()
    uploaded = time.monotonic()
    try:
        assert uploaders.responses.keys() == uploaders.files.keys()
        assert uploaders.statuses.keys() <= {*ACCEPTED, *REPEATED, "none"}
        settle(deployment, {uploaders.ids()[name] for name in valid})
    finally:
        print(
            f"SEED={SEED}: {dict(chaos.injected)}; {len(uploaders.files)} files;"
            f" responses {dict(uploaders.statuses)}; {uploaded - started:.0f} s of faults,"
            f" {time.monotonic() - uploaded:.0f} s to settle"
        )
    check_files(deployment, uploaders, valid)
    check_statistics(deployment.owner)
    check_events(deployment, uploaders)
    for name in rng.sample(sorted(uploaders.files), 12):
        assert uploaders.upload(deployment.owner, name).json() == uploaders.responses[name]
    assert deployment.count("files_file") == len(uploaders.files)
    assert deployment.timba.stop(signal.SIGTERM) == 0
    assert chaos.injected.total() == (len(PROCESSES) + 2) * ROUNDS + 1


def settle(deployment: Deployment, valid: set[str]) -> None:
    """Wait until nothing is left to do, as an hour later; retry failures whose error advises it."""

    def all_settled() -> bool:
        return not deployment.count("files_file WHERE status IN ('RECEIVING', 'PENDING')")

    # Interrupted uploads and unused derivatives are deleted an hour later.
    deployment.query(
        "UPDATE files_file SET touched_at = touched_at - INTERVAL '1 hour'"
        " WHERE status = 'RECEIVING' RETURNING id"
    )
    wait_until(all_settled, seconds=SETTLE_SECONDS, what="all is settled")
    for key, error in deployment.query("SELECT id, error FROM files_file WHERE status = 'FAILURE'"):
        if str(key) in valid:
            assert "try again" in error, error
            assert deployment.owner.post(f"/api/files/{key}/retry/").status_code == 202
    wait_until(all_settled, seconds=SETTLE_SECONDS, what="all is settled")
    for table, column in (("files_file", "processed_at"), ("files_derivative", "created_at")):
        deployment.query(f"UPDATE {table} SET {column} = {column} - INTERVAL '1 hour' RETURNING id")
    wait_until(
        lambda: stored_keys(deployment) == referenced_keys(deployment),
        seconds=SETTLE_SECONDS,
        what="all orphaned objects are deleted",
    )


def stored_keys(deployment: Deployment) -> set[str]:
    """Return the keys of all objects and, marked, of all unfinished multipart uploads."""
    client, bucket = deployment.store.client, deployment.store.bucket
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    begun = client.list_multipart_uploads(Bucket=bucket).get("Uploads") or ()
    return {each["Key"] for each in objects} | {f"begun {each['Key']}" for each in begun}


def referenced_keys(deployment: Deployment) -> set[str]:
    """Return the keys that rows reference, except readings of failed files, which are deleted."""
    rows = deployment.query(
        "SELECT storage_key FROM files_file UNION SELECT d.storage_key FROM files_derivative d"
        " JOIN files_file f ON f.id = d.file_id"
        " WHERE d.is_current AND NOT (d.role = 'readings' AND f.status = 'FAILURE')"
    )
    return {key for (key,) in rows}


def check_files(deployment: Deployment, uploaders: Uploaders, valid: dict[str, bytes]) -> None:
    """Check that every file is there once with its bytes, settled, and without dead runs."""
    for name, file_id in uploaders.ids().items():
        file = deployment.owner.get(f"/api/files/{file_id}/").json()
        assert file["status"] == ("SUCCESS" if name in valid else "FAILURE"), file
        content = deployment.owner.get(f"/api/files/{file_id}/content/").content
        assert content == uploaders.files[name], name
    assert deployment.count("files_file") == len(uploaders.files)
    dead = "temperatures_citytotals t JOIN files_file f ON f.id = t.file_id"
    assert deployment.count(f"{dead} WHERE f.run IS DISTINCT FROM t.run") == 0


def check_statistics(client: ApiClient) -> None:
    last = 10 * ROUNDS - 1
    for city_id, lines, sign in ((42, LINES, 1), (43, 100, -1)):
        statistics = client.get(f"/temperature-readings/{city_id}/").json()
        bounds = sorted((0.0, float(sign * last)))
        assert statistics["count"] == lines * (last + 1)
        assert [statistics["min_temp"], statistics["max_temp"]] == bounds
        assert statistics["mean_temp"] == sign * last / 2


def check_events(deployment: Deployment, uploaders: Uploaders) -> None:
    """Check the order of each file's events, and that no sequence number is missing."""
    types: defaultdict[str, str] = defaultdict(str)
    for key, kind in deployment.query(
        "SELECT key, type FROM events_outboxevent WHERE topic = 'file_events' ORDER BY sequence"
    ):
        types[key] += kind.rpartition(".")[2] + " "
    assert types.keys() == set(uploaders.ids().values())
    assert [each for each in types.values() if not EVENT_ORDER.fullmatch(each)] == []
    gaps = deployment.query(
        "SELECT client_id, MAX(sequence) - COUNT(*) FROM events_outboxevent GROUP BY 1"
    )
    assert {missing for _, missing in gaps} == {0}
