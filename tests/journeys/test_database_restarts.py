"""The database is killed and started again under a running Timba: it costs time, nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.journeys.processes import end_all, wait_until
from tests.journeys.timba_process import ROOT, Program, TimbaProcess
from tests.own_servers import OwnServer
from tools.servers.mariadb import MariaDB
from tools.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.journey

PASSWORD = "larch-and-alder-48"
FILES = 40
CALLERS = 8
AWAY_SECONDS = 2
START_SECONDS = 300


@pytest.fixture(params=[PostgreSQL, MariaDB], ids=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    if request.param is MariaDB:
        request.getfixturevalue("mariadb_url")  # skips where its driver is not here
    with OwnServer(request.param()) as own:
        yield own


@pytest.fixture
def timba(server: OwnServer, tmp_path: Path) -> Iterator[TimbaProcess]:
    """Run Timba as a service manager does, on that server."""
    process = TimbaProcess(tmp_path, TIMBA_ADMIN_PASSWORD=PASSWORD, **server.variables())
    served = manage(process, "serve")
    try:
        wait_until(
            lambda: served.poll() is not None or is_live(process),
            seconds=START_SECONDS,
            what="Timba is live",
        )
        assert manage(process, "csu").wait(START_SECONDS) == 0
        yield process
        served.terminate()
        assert served.wait(START_SECONDS) == 0
    finally:
        end_all("TIMBA_DATA_DIR", str(tmp_path))
        served.wait(START_SECONDS)


def manage(timba: TimbaProcess, command: str) -> subprocess.Popen[bytes]:
    with (timba.data_folder / f"{command}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=timba.environment(),
        )


def is_live(timba: TimbaProcess) -> bool:
    try:
        return requests.get(f"{timba.url}/health/live", timeout=5).ok
    except requests.RequestException:
        return False


def all_at_once(program: Program, count: int) -> list[requests.Response]:
    """Return the answers to so many readers, each of whom has a thread and a connection."""
    answers: list[requests.Response] = []

    def read() -> None:
        answers.append(program.get("/api/notes/"))

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def upload(program: Program, client_id: int) -> list[str]:
    """Send a batch, and return its tasks while nearly all of them still wait."""
    files = [
        ("files", (f"{number}.txt", f"Lorry {number} at the gate.\n")) for number in range(FILES)
    ]
    answer = program.post("/api/upload/", files=files, data={"client_id": client_id})
    assert answer.status_code == 202, answer.text
    assert {file["status"] for file in answer.json()["files"]} == {"PENDING"}
    tasks: list[str] = answer.json()["task_ids"]
    return tasks


def test_its_database_is_killed_and_comes_back(server: OwnServer, timba: TimbaProcess) -> None:
    staff = timba.sign_in("admin", PASSWORD)
    company = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
    client_id = staff.request("PUT", "/timba/client", json=company).json()["data"]["id"]
    assert {answer.status_code for answer in all_at_once(staff, CALLERS)} == {200}

    # Between two requests: every kept connection is dead, and nobody notices.
    server.kill()
    server.start()
    assert {answer.status_code for answer in all_at_once(staff, CALLERS)} == {200}

    # While files are at work, and while somebody asks.
    tasks = upload(staff, client_id)
    server.kill()
    asked = staff.get("/api/notes/")
    assert asked.status_code == 503, asked.text
    assert asked.headers["Content-Type"] == "application/problem+json"
    assert asked.headers["Retry-After"] == "5"
    assert is_live(timba)
    time.sleep(AWAY_SECONDS)
    server.start()
    note = {"client_id": client_id, "title": "After the storm"}
    assert staff.post("/api/notes/", json=note).status_code == 201

    assert {staff.wait_for_task(task)["status"] for task in tasks} == {"SUCCESS"}
    query = {"client_id": client_id, "limit": 1000}
    events = staff.get("/api/events/", params=query).json()["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    succeeded = [event["key"] for event in events if event["type"] == "timba.file.succeeded"]
    assert len(succeeded) == len(set(succeeded)) == FILES
