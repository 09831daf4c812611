"""The database is killed and restarted under a running Timba, and no work is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from tests.journeys.processes import kill_all, wait_until
from tests.journeys.timba_process import ROOT, ApiClient, TimbaProcess
from tests.servers import DedicatedServer, skip_or_fail
from tools.servers.databases import MariaDB, PostgreSQL

pytestmark = pytest.mark.journey

PASSWORD = "larch-and-alder-48"
FILES = 40
READERS = 8
OUTAGE_SECONDS = 2
START_SECONDS = 300


@pytest.fixture(params=[PostgreSQL, MariaDB], ids=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[DedicatedServer]:
    if request.param is MariaDB and find_spec("MySQLdb") is None:
        skip_or_fail("MariaDB's driver is not installed. Build it: make mariadb")
    with DedicatedServer(request.param()) as server:
        yield server


@pytest.fixture
def timba(server: DedicatedServer, tmp_path: Path) -> Iterator[TimbaProcess]:
    """Run `manage.py serve` on that server."""
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
        kill_all("TIMBA_DATA_DIR", str(tmp_path))
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


def concurrent_reads(client: ApiClient, count: int) -> list[requests.Response]:
    """Return the responses to `count` concurrent requests, each on its own connection."""
    responses: list[requests.Response] = []

    def read() -> None:
        responses.append(client.get("/api/notes/"))

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


def upload(client: ApiClient, client_id: int) -> list[str]:
    """Upload a batch; return its tasks, nearly all of them still pending."""
    files = [
        ("files", (f"{number}.txt", f"Lorry {number} at the gate.\n")) for number in range(FILES)
    ]
    response = client.post("/api/upload/", files=files, data={"client_id": client_id})
    assert response.status_code == 202, response.text
    assert {file["status"] for file in response.json()["files"]} == {"PENDING"}
    tasks: list[str] = response.json()["task_ids"]
    return tasks


def test_timba_recovers_when_its_database_is_killed_and_restarted(
    server: DedicatedServer, timba: TimbaProcess
) -> None:
    staff = timba.sign_in("admin", PASSWORD)
    sawmill = {"name": "Sawmill", "address": "", "contact": "", "email": "mill@example.com"}
    client_id = staff.request("PUT", "/timba/client", json=sawmill).json()["data"]["id"]
    assert {response.status_code for response in concurrent_reads(staff, READERS)} == {200}

    # Killed between two requests: every persistent connection is dead, and no request fails.
    server.kill()
    server.start()
    assert {response.status_code for response in concurrent_reads(staff, READERS)} == {200}

    # Killed while files are processed and a request is made.
    tasks = upload(staff, client_id)
    server.kill()
    unavailable = staff.get("/api/notes/")
    assert unavailable.status_code == 503, unavailable.text
    assert unavailable.headers["Content-Type"] == "application/problem+json"
    assert unavailable.headers["Retry-After"] == "5"
    assert is_live(timba)
    time.sleep(OUTAGE_SECONDS)
    server.start()
    note = {"client_id": client_id, "title": "After the storm"}
    assert staff.post("/api/notes/", json=note).status_code == 201

    assert {staff.wait_for_task(task)["status"] for task in tasks} == {"SUCCESS"}
    query = {"client_id": client_id, "limit": 1000}
    events = staff.get("/api/events/", params=query).json()["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    succeeded = [event["key"] for event in events if event["type"] == "timba.file.succeeded"]
    assert len(succeeded) == len(set(succeeded)) == FILES
