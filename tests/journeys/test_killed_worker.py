"""The worker is killed again and again: no file is stuck, and nothing counts or is told twice."""

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

from tests.journeys.processes import end_all, free_port, wait_until
from tests.journeys.timba_process import ROOT, Program

pytestmark = pytest.mark.journey

PASSWORD = "larch-and-alder-48"
LINES = 300_000
KILLS = 20
KILLS_OF_ONE_FILE = 2
SETTLED_SECONDS = 600
SEED = 7


class Sawmill:
    """Web server and worker as processes of their own; the worker may be killed and replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIMBA_")}
        self._environment = {
            **kept,
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
        """Make tables and people, and serve."""
        for command in ("migrate", "createcachetable", "csu"):
            assert self._start("manage.py", command).wait(SETTLED_SECONDS) == 0
        server = ["-m", "granian", "--interface=asgi", f"--port={self.port}"]
        server += ["--log-level=warning", "timba.config.asgi:application"]
        self._start(*server)
        wait_until(self._is_live, seconds=60, what="the web server is live")
        staff = self._sign_in("admin")
        company = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
        client_id = staff.request("PUT", "/timba/client", json=company).json()["data"]["id"]
        owner = {"client_id": client_id, "name": "Owner", "username": "owner", "address": ""}
        owner |= {"contact": "", "role": "owner", "password": PASSWORD}
        assert staff.request("PUT", "/timba/user", json=owner).status_code == 201
        self.program = self._sign_in("owner")
        self._nursery = self._start("-m", "tests.journeys.nursery", stdout=subprocess.PIPE)
        self.start_worker()

    def start_worker(self) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(b"one more\n")
        self._nursery.stdin.flush()
        self._worker = int(self._nursery.stdout.readline())

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

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        place = f"file:{self.folder / 'timba.sqlite3'}?mode=rw"
        with closing(sqlite3.connect(place, uri=True, timeout=30)) as connection, connection:
            return connection.execute(query, values).fetchall()

    def statuses(self) -> Counter[str]:
        return Counter(dict(self.ask("SELECT status, COUNT(*) FROM files_file GROUP BY status")))

    def in_hand(self) -> tuple[str, int] | None:
        """Return the file that the worker has claimed, and how often it has been claimed."""
        found = self.ask(
            "SELECT id, attempts FROM files_file WHERE status = 'PENDING'"
            " AND lease_until > STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"
            " AND progress < 0.7 ORDER BY lease_until DESC"
        )
        return found[0] if found else None

    def is_pending(self, file_id: str) -> bool:
        return bool(
            self.ask("SELECT 1 FROM files_file WHERE id = ? AND status = 'PENDING'", file_id)
        )

    def let_an_hour_pass(self) -> None:
        """Let the time pass after which what a dead run made is swept."""
        self.ask(
            "UPDATE files_derivative SET"
            " created_at = STRFTIME('%Y-%m-%d %H:%M:%f', created_at, '-1 hour')"
        )

    def has_no_debris(self) -> bool:
        """Whether every object has its row, every row its object, and nothing is of a dead run."""
        current = "JOIN files_file f ON f.id = d.file_id AND f.run = d.run"
        named = self.ask("SELECT storage_key FROM files_file")
        derived = self.ask(f"SELECT d.storage_key FROM files_derivative d {current}")
        dead = self.ask("SELECT COUNT(*) FROM files_derivative")[0][0] - len(derived)
        totals = self.ask("SELECT COUNT(*) FROM temperatures_citytotals")[0][0]
        counted = self.ask(f"SELECT COUNT(*) FROM temperatures_citytotals d {current}")[0][0]
        store = self.folder / "files"
        stored = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
        return (dead, totals - counted) == (0, 0) and stored == {key for (key,) in named + derived}

    def check_told(self, file_ids: Iterable[str]) -> None:
        """Check that each file was told to have come and to have succeeded, once, and no more."""
        told: dict[str, list[str]] = defaultdict(list)
        after = 0
        while True:
            query = {"after": after, "topic": "file_events", "limit": 1000}
            events = self.program.get("/api/events/", params=query).json()["events"]
            if not events:
                break
            for event in events:
                told[event["key"]].append(event["type"])
            after = events[-1]["sequence"]
        assert {tuple(told[file_id]) for file_id in file_ids} == {
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
        end_all("TIMBA_DATA_DIR", str(self.folder))
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

    def _sign_in(self, username: str) -> Program:
        url = f"http://127.0.0.1:{self.port}"
        person = {"username": username, "password": PASSWORD}
        answer = requests.post(f"{url}/api/token/", json=person, timeout=60)
        assert answer.status_code == 200, answer.text
        return Program(url, answer.json()["access"])

    def _is_live(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/health/live", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def sawmill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sawmill]:
    mill = Sawmill(tmp_path_factory.mktemp("killed"))
    try:
        mill.start()
        yield mill
    finally:
        mill.end()


def readings_of(city_id: int) -> bytes:
    """Return a file of one city's readings, which no other city's file is like."""
    first = datetime(2025, 1, 1, tzinfo=UTC)
    block = "".join(
        f"{city_id},{(number + city_id) % 50 - 10}.{number % 100:02d},"
        f"{(first + number * timedelta(minutes=97)).isoformat()}\n"
        for number in range(1000)
    )
    return block.encode() * (LINES // 1000)


def statistics_of(content: bytes) -> dict[str, Any]:
    """Return what a file's readings come to, by plain counting."""
    block = content[: len(content) // (LINES // 1000)].decode().splitlines()
    hundredths = [round(float(line.split(",")[1]) * 100) for line in block]
    mean = abs(sum(hundredths)) / len(hundredths)
    return {
        "count": LINES,
        "min_temp": min(hundredths) / 100,
        "max_temp": max(hundredths) / 100,
        "mean_temp": (int(mean + 0.5) if sum(hundredths) >= 0 else -int(mean + 0.5)) / 100,
    }


def test_twenty_kills_in_the_middle_of_a_file_lose_and_repeat_nothing(sawmill: Sawmill) -> None:
    chance = random.Random(SEED)
    sent: dict[int, dict[str, Any]] = {}
    kills: Counter[str] = Counter()
    while sum(kills.values()) < KILLS:
        if sawmill.statuses()["PENDING"] < 2:
            city_id = len(sent) + 1
            content = readings_of(city_id)
            answer = sawmill.program.post("/upload/", files={"file": ("readings.csv", content)})
            assert answer.status_code == 201, answer.text
            sent[city_id] = {"file_id": answer.json()["file_id"], **statistics_of(content)}
        held = sawmill.in_hand()
        if held is None or kills[held[0]] == KILLS_OF_ONE_FILE:
            time.sleep(0.02)
            continue
        time.sleep(chance.uniform(0, 0.5))
        sawmill.end_worker(signal.SIGKILL)
        if sawmill.is_pending(held[0]):
            kills[held[0]] += 1
        sawmill.start_worker()
    wait_until(
        lambda: not sawmill.statuses()["PENDING"], seconds=SETTLED_SECONDS, what="all is settled"
    )
    assert set(sawmill.statuses()) == {"SUCCESS"}
    for city_id, expected in sent.items():
        answer = sawmill.program.get(f"/temperature-readings/{city_id}/").json()
        assert {name: answer[name] for name in expected if name != "file_id"} == {
            name: value for name, value in expected.items() if name != "file_id"
        }
    sawmill.check_told(expected["file_id"] for expected in sent.values())
    sawmill.let_an_hour_pass()
    wait_until(sawmill.has_no_debris, seconds=60, what="the debris of dead runs is swept")


def photo_of(number: int) -> bytes:
    chance = random.Random(number)
    picture = Image.frombytes("RGB", (32, 24), chance.randbytes(3 * 32 * 24)).resize((1600, 1200))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def test_a_hundred_photos_survive_ten_kills(sawmill: Sawmill) -> None:
    photos = [("images", (f"{number}.jpg", photo_of(number))) for number in range(100)]
    answer = sawmill.program.post("/api/upload/", files=photos)
    assert answer.status_code == 202, answer.text
    batch = answer.json()
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
    tasks = sawmill.program.get("/api/task-status/", params={"task_id": batch["task_ids"]}).json()
    assert {task["status"] for task in tasks["tasks"]} == {"SUCCESS"}
    assert [task["result"]["name"] for task in tasks["tasks"]] == batch["valid_images"]
    assert {(task["result"]["width"], task["progress"]) for task in tasks["tasks"]} == {(1600, 1)}
    sawmill.check_told(file["file_id"] for file in batch["files"])
    sawmill.end_worker(signal.SIGTERM)
    assert sawmill.has_no_debris()
