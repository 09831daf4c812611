"""The database is killed and restarted under a running Timba, and no work is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess
from tests.servers import DedicatedServer, skip_or_fail
from tools.servers.databases import MariaDB, PostgreSQL

pytestmark = pytest.mark.journey

FILES = 40
READERS = 8
OUTAGE_SECONDS = 2


@pytest.fixture(params=[PostgreSQL, MariaDB], ids=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[DedicatedServer]:
    if request.param is MariaDB and find_spec("MySQLdb") is None:
        skip_or_fail("MariaDB's driver is not installed. Build it: make mariadb")
    with DedicatedServer(request.param()) as server:
        yield server


@pytest.fixture
def timba(server: DedicatedServer, tmp_path: Path) -> Iterator[TimbaProcess]:
    """Run `manage.py serve` on that server."""
    with TimbaProcess(tmp_path / "data", SERVE, **server.variables()) as timba:
        yield timba
        assert timba.stop(signal.SIGTERM) == 0


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


def read_while_down(server: DedicatedServer, client: ApiClient) -> requests.Response:
    """Kill the server, start it again two seconds later, and return a response asked meanwhile."""
    server.kill()
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(client.get, "/api/notes/")
        time.sleep(OUTAGE_SECONDS)
        server.start()
        return reading.result()


def upload(client: ApiClient) -> list[str]:
    """Upload a batch; return its tasks, nearly all of them still pending."""
    files = [
        ("files", (f"{number}.txt", f"Lorry {number} at the gate.\n")) for number in range(FILES)
    ]
    response = client.post("/api/upload/", files=files)
    assert response.status_code == 202, response.text
    assert {file["status"] for file in response.json()["files"]} == {"PENDING"}
    tasks: list[str] = response.json()["task_ids"]
    return tasks


def test_timba_recovers_when_its_database_is_killed_and_restarted(
    server: DedicatedServer, timba: TimbaProcess
) -> None:
    owner = timba.create_owner()
    assert {response.status_code for response in concurrent_reads(owner, READERS)} == {200}

    # Killed between two requests: every persistent connection is dead, and no request fails.
    server.kill()
    server.start()
    assert {response.status_code for response in concurrent_reads(owner, READERS)} == {200}

    # A request that is made meanwhile waits.
    assert read_while_down(server, owner).status_code == 200

    # Killed while files are processed and a request is made.
    tasks = upload(owner)
    server.kill()
    unavailable = owner.get("/api/notes/")
    assert unavailable.status_code == 503, unavailable.text
    assert unavailable.headers["Content-Type"] == "application/problem+json"
    assert unavailable.headers["Retry-After"] == "5"
    assert requests.get(f"{timba.url}/health/live", timeout=5).status_code == 200
    time.sleep(OUTAGE_SECONDS)
    server.start()
    assert owner.post("/api/notes/", json={"title": "After the storm"}).status_code == 201

    assert {owner.wait_for_task(task)["status"] for task in tasks} == {"SUCCESS"}
    events = owner.get("/api/events/", params={"limit": 1000}).json()["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    succeeded = [event["key"] for event in events if event["type"] == "timba.file.succeeded"]
    assert len(succeeded) == len(set(succeeded)) == FILES
