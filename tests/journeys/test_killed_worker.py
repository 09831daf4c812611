"""The worker is killed repeatedly: no file is stuck, and no reading or event is duplicated."""

from __future__ import annotations

import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from tests.journeys.processes import free_port, kill_all, wait_until
from tests.journeys.timba_process import ROOT, ApiClient

pytestmark = pytest.mark.journey

PASSWORD = "larch-and-alder-48"
LINES = 300_000
KILLS = 20
KILLS_OF_ONE_FILE = 2
SETTLED_SECONDS = 600
SEED = 7


class Sawmill:
    """A web server and a worker as separate processes; a test can kill and replace the worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("TIMBA_")
        }
        self._environment = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
            "TIMBA_DATA_DIR": str(folder),
            "TIMBA_PORT": str(self.port),
            "TIMBA_ADMIN_PASSWORD": PASSWORD,
            "TIMBA_LEASE_SECONDS": "2",
            "TIMBA_WORKER_THREADS": "1",
        }
        self._log = (folder / "log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Create tables and users, and start the processes."""
        for command in ("migrate", "createcachetable", "csu"):
            assert self._start("manage.py", command).wait(SETTLED_SECONDS) == 0
        server = ["-m", "granian", "--interface=asgi", f"--port={self.port}"]
        server += ["--log-level=warning", "timba.config.asgi:application"]
        self._start(*server)
        wait_until(self._is_live, seconds=60, what="the web server is live")
        staff = self._sign_in("admin")
        sawmill = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
        client_id = staff.request("PUT", "/timba/client", json=sawmill).json()["data"]["id"]
        owner = {"client_id": client_id, "name": "Owner", "username": "owner", "address": ""}
        owner |= {"contact": "", "role": "owner", "password": PASSWORD}
        assert staff.request("PUT", "/timba/user", json=owner).status_code == 201
        self.client = self._sign_in("owner")
        self._fork_server = self._start("-m", "tests.journeys.fork_server", stdout=subprocess.PIPE)
        self.start_worker()

    def start_worker(self) -> None:
        assert self._fork_server.stdin is not None
        assert self._fork_server.stdout is not None
        self._fork_server.stdin.write(b"one more\n")
        self._fork_server.stdin.flush()
        self._worker = int(self._fork_server.stdout.readline())

    def end_worker(self, number: signal.Signals) -> None:
        """Send the worker a signal that ends it; its sandbox must not outlive it."""
        tasks = Path(f"/proc/{self._worker}/task").glob("*/children")
        children = {child for task in tasks for child in task.read_text().split()}
        os.kill(self._worker, number)
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in {self._worker, *children}),
            seconds=60,
            what="the worker and its children are gone",
        )

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL query."""
        uri = f"file:{self.folder / 'timba.sqlite3'}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def statuses(self) -> Counter[str]:
        return Counter(dict(self.query("SELECT status, COUNT(*) FROM files_file GROUP BY status")))

    def claimed_file(self) -> tuple[str, int] | None:
        """Return the id of the file that the worker has claimed, and the number of its attempts."""
        rows = self.query(
            "SELECT id, attempts FROM files_file WHERE status = 'PENDING'"
            " AND lease_until > STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"
            " AND progress < 0.7 ORDER BY lease_until DESC"
        )
        return rows[0] if rows else None

    def is_pending(self, file_id: str) -> bool:
        return bool(
            self.query("SELECT 1 FROM files_file WHERE id = ? AND status = 'PENDING'", file_id)
        )

    def age_derivatives(self) -> None:
        """Make all derivatives an hour older: then those of abandoned runs are deleted."""
        self.query(
            "UPDATE files_derivative SET"
            " created_at = STRFTIME('%Y-%m-%d %H:%M:%f', created_at, '-1 hour')"
        )

    def has_no_orphans(self) -> bool:
        """Whether objects and rows match, and no row belongs to an abandoned run."""
        current = "JOIN files_file f ON f.id = d.file_id AND f.run = d.run"
        originals = self.query("SELECT storage_key FROM files_file")
        derived = self.query(f"SELECT d.storage_key FROM files_derivative d {current}")
        abandoned = self.query("SELECT COUNT(*) FROM files_derivative")[0][0] - len(derived)
        totals = self.query("SELECT COUNT(*) FROM temperatures_citytotals")[0][0]
        counted = self.query(f"SELECT COUNT(*) FROM temperatures_citytotals d {current}")[0][0]
        store = self.folder / "files"
        stored = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
        return (abandoned, totals - counted) == (0, 0) and stored == {
            key for (key,) in originals + derived
        }

    def check_events(self, file_ids: Iterable[str]) -> None:
        """Check that each file has exactly one event of its creation and one of its success."""
        types: dict[str, list[str]] = defaultdict(list)
        after = 0
        while True:
            query = {"after": after, "topic": "file_events", "limit": 1000}
            events = self.client.get("/api/events/", params=query).json()["events"]
            if not events:
                break
            for event in events:
                types[event["key"]].append(event["type"])
            after = events[-1]["sequence"]
        assert {tuple(types[file_id]) for file_id in file_ids} == {
            ("timba.file.created", "timba.file.succeeded")
        }

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        kill_all("TIMBA_DATA_DIR", str(self.folder))
        self._log.close()

    def _start(self, *command: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=stdout or self._log,
            stderr=self._log,
        )
        self._processes.append(process)
        return process

    def _sign_in(self, username: str) -> ApiClient:
        url = f"http://127.0.0.1:{self.port}"
        credentials = {"username": username, "password": PASSWORD}
        response = requests.post(f"{url}/api/token/", json=credentials, timeout=60)
        assert response.status_code == 200, response.text
        return ApiClient(url, response.json()["access"])

    def _is_live(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/health/live", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def sawmill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sawmill]:
    sawmill = Sawmill(tmp_path_factory.mktemp("killed"))
    try:
        sawmill.start()
        yield sawmill
    finally:
        sawmill.end()


def readings_of(city_id: int) -> bytes:
    """Return a file of a city's readings; no two cities have the same."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    block = "".join(
        f"{city_id},{(number + city_id) % 50 - 10}.{number % 100:02d},"
        f"{(first + number * timedelta(minutes=97)).isoformat()}\n"
        for number in range(1000)
    )
    return block.encode() * (LINES // 1000)


def statistics_of(content: bytes) -> dict[str, Any]:
    """Return the expected statistics of a file, calculated independently of Timba."""
    block = content[: len(content) // (LINES // 1000)].decode().splitlines()
    hundredths = [round(float(line.split(",")[1]) * 100) for line in block]
    mean = abs(sum(hundredths)) / len(hundredths)
    return {
        "count": LINES,
        "min_temp": min(hundredths) / 100,
        "max_temp": max(hundredths) / 100,
        "mean_temp": (int(mean + 0.5) if sum(hundredths) >= 0 else -int(mean + 0.5)) / 100,
    }


def test_twenty_kills_during_processing_lose_and_duplicate_nothing(sawmill: Sawmill) -> None:
    rng = random.Random(SEED)
    uploads: dict[int, dict[str, Any]] = {}
    kills: Counter[str] = Counter()
    while sum(kills.values()) < KILLS:
        if sawmill.statuses()["PENDING"] < 2:
            city_id = len(uploads) + 1
            content = readings_of(city_id)
            response = sawmill.client.post("/upload/", files={"file": ("readings.csv", content)})
            assert response.status_code == 201, response.text
            uploads[city_id] = {"file_id": response.json()["file_id"], **statistics_of(content)}
        claimed = sawmill.claimed_file()
        if claimed is None or kills[claimed[0]] == KILLS_OF_ONE_FILE:
            time.sleep(0.02)
            continue
        time.sleep(rng.uniform(0, 0.5))
        sawmill.end_worker(signal.SIGKILL)
        if sawmill.is_pending(claimed[0]):
            kills[claimed[0]] += 1
        sawmill.start_worker()
    wait_until(
        lambda: not sawmill.statuses()["PENDING"], seconds=SETTLED_SECONDS, what="all is settled"
    )
    assert set(sawmill.statuses()) == {"SUCCESS"}
    for city_id, expected in uploads.items():
        response = sawmill.client.get(f"/temperature-readings/{city_id}/").json()
        assert {name: response[name] for name in expected if name != "file_id"} == {
            name: value for name, value in expected.items() if name != "file_id"
        }
    sawmill.check_events(expected["file_id"] for expected in uploads.values())
    sawmill.age_derivatives()
    wait_until(sawmill.has_no_orphans, seconds=60, what="orphaned objects are deleted")


def photo_of(number: int) -> bytes:
    rng = random.Random(number)
    picture = Image.frombytes("RGB", (32, 24), rng.randbytes(3 * 32 * 24)).resize((1600, 1200))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def test_a_hundred_photos_survive_ten_kills(sawmill: Sawmill) -> None:
    photos = [("images", (f"{number}.jpg", photo_of(number))) for number in range(100)]
    response = sawmill.client.post("/api/upload/", files=photos)
    assert response.status_code == 202, response.text
    batch = response.json()
    assert (len(batch["task_ids"]), batch["errors"]) == (100, [])
    for left in range(95, 5, -9):
        wait_until(
            lambda: sawmill.statuses()["PENDING"] <= left,  # noqa: B023 - called at once
            seconds=SETTLED_SECONDS,
            what=f"{left} photos are left to read",
        )
        sawmill.end_worker(signal.SIGKILL)
        sawmill.start_worker()
    wait_until(
        lambda: not sawmill.statuses()["PENDING"], seconds=SETTLED_SECONDS, what="all is settled"
    )
    tasks = sawmill.client.get("/api/task-status/", params={"task_id": batch["task_ids"]}).json()
    assert {task["status"] for task in tasks["tasks"]} == {"SUCCESS"}
    assert [task["result"]["name"] for task in tasks["tasks"]] == batch["valid_images"]
    assert {(task["result"]["width"], task["progress"]) for task in tasks["tasks"]} == {(1600, 1)}
    sawmill.check_events(file["file_id"] for file in batch["files"])
    sawmill.end_worker(signal.SIGTERM)
    assert sawmill.has_no_orphans()
