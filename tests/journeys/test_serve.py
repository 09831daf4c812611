"""`manage.py serve`: slow clients delay no other request, and a killed worker loses no file."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import time
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import ExifTags

from tests.files.samples import photo
from tests.journeys.processes import child_pids, wait_until
from tests.journeys.timba_process import PASSWORD, ApiClient, TimbaProcess

pytestmark = pytest.mark.journey

LINES = 500_000
PHOTOS = 24
PROCESSED = ["timba.file.created", "timba.file.succeeded"]
SLOW_BODY = (
    b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@pytest.fixture
def note(owner: ApiClient) -> str:
    note = owner.post("/api/notes/", json={"title": "Seal", "content": "88412"}).json()
    return f"/api/notes/{note['id']}/"


def connect(timba: TimbaProcess, request: bytes, *, source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", timba.port), timeout=60, source_address=(source, 0)
    )
    connection.sendall(request)
    return connection


def test_slow_request_bodies_delay_no_other_request(timba: TimbaProcess, owner: ApiClient) -> None:
    with ExitStack() as slow:
        for number in range(100):
            # Two addresses, so that more bodies are awaited than there are threads.
            source = f"127.0.0.{2 + number % 2}"
            slow.enter_context(connect(timba, SLOW_BODY, source=source))
        assert requests.get(f"{timba.url}/health/live", timeout=20).status_code == HTTPStatus.OK
        assert owner.get("/api/notes/", timeout=20).status_code == HTTPStatus.OK
        signed_in = timba.sign_in("owner", PASSWORD)
        upload = signed_in.post("/api/files/", files={"file": ("load.txt", b"larch\n" * 100_000)})
        assert upload.status_code == HTTPStatus.CREATED


def test_slow_readers_delay_no_other_request(timba: TimbaProcess, owner: ApiClient) -> None:
    file = owner.post("/api/files/", files={"file": ("load.txt", b"larch\n" * 4_000_000)}).json()
    request = (
        f"GET /api/files/{file['id']}/content/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {owner.authorization}\r\n\r\n"
    ).encode()
    with ExitStack() as readers:
        for _ in range(40):
            reader = readers.enter_context(connect(timba, request))
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
        assert requests.get(f"{timba.url}/health/live", timeout=20).status_code == HTTPStatus.OK


def test_a_chunked_body_is_equivalent_to_one_with_a_length(owner: ApiClient, note: str) -> None:
    change = json.dumps({"content": "88413"}).encode()
    chunks = (change[at : at + 5] for at in range(0, len(change), 5))
    headers = {"Content-Type": "application/json"}
    assert owner.request("PATCH", note, data=chunks, headers=headers).json()["content"] == "88413"


def test_a_truncated_chunked_body_changes_nothing(
    timba: TimbaProcess, owner: ApiClient, note: str
) -> None:
    body = b'{"content": "88413"}'
    request = (
        f"PATCH {note} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {owner.authorization}\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(body):x}\r\n"
    ).encode()
    with connect(timba, request + body + b"\r\n") as connection:
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(4096), b""))
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"The body broke off before its end. Send it again." in response
    assert owner.get(note).json()["content"] == "88412"


def test_a_response_before_the_end_of_a_small_body_keeps_the_connection(
    timba: TimbaProcess,
) -> None:
    head = b"POST /nowhere/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 800000\r\n\r\n"
    with connect(timba, head + b"a" * 300_000) as connection:
        for _ in range(10):
            time.sleep(0.05)
            connection.sendall(b"a" * 50_000)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        responses = b""
        while b'{"status":"ok"}' not in responses:
            responses += connection.recv(4096)
        assert responses.startswith(b"HTTP/1.1 404 ")
        assert b"HTTP/1.1 200 OK" in responses


def test_an_anonymous_upload_is_rejected_before_its_large_body_is_received(
    timba: TimbaProcess,
) -> None:
    head = b"POST /api/files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000000\r\n\r\n"
    with connect(timba, head + b"a" * 400_000) as connection:
        response = b""
        while b"\r\n\r\n" not in response:
            response += connection.recv(4096)
        assert response.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in response


def test_a_connection_without_headers_is_closed(timba: TimbaProcess) -> None:
    with connect(timba, b"") as connection:
        assert connection.recv(1) == b""


def worker_pids(timba: TimbaProcess) -> list[int]:
    return [pid for pid, line in timba.mains().items() if line.endswith(" work ")]


def kill_worker(timba: TimbaProcess) -> None:
    """Kill the worker; return when its sandboxes have ended, too, and it is started again."""
    [worker] = worker_pids(timba)
    processes = {worker, *child_pids(worker)}
    os.kill(worker, signal.SIGKILL)
    wait_until(
        lambda: not any(Path("/proc", str(pid)).exists() for pid in processes),
        seconds=60,
        what="the worker and its sandboxes have ended",
    )
    wait_until(lambda: bool(worker_pids(timba)), seconds=60, what="the worker is started again")


def query(timba: TimbaProcess, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of an SQL query."""
    database = timba.data_folder / "timba.sqlite3"
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        return connection.execute(sql).fetchall()


def events_of(owner: ApiClient, file_ids: list[str]) -> list[list[str]]:
    """Return the types of each file's events, in their order."""
    response = owner.get("/api/events/", params={"topic": "file_events", "limit": 1000})
    events = response.json()["events"]
    return [[event["type"] for event in events if event["key"] == pk] for pk in file_ids]


def check_objects(timba: TimbaProcess) -> None:
    """Wait until objects and rows match, and no row belongs to a dead run, as an hour later."""
    query(
        timba,
        "UPDATE files_derivative SET"
        " created_at = STRFTIME('%Y-%m-%d %H:%M:%f', created_at, '-1 hour')",
    )
    query(
        timba,
        "UPDATE files_file SET"
        " processed_at = STRFTIME('%Y-%m-%d %H:%M:%f', processed_at, '-1 hour')",
    )
    store = timba.data_folder / "files"
    current = "JOIN files_file f ON f.id = d.file_id AND f.run = d.run"

    def match() -> bool:
        keys = query(
            timba,
            "SELECT storage_key FROM files_file UNION ALL SELECT storage_key FROM files_derivative",
        )
        stored = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
        dead = [
            query(timba, f"SELECT COUNT(*) FROM {table}")
            != query(timba, f"SELECT COUNT(*) FROM {table} d {current}")
            for table in ("files_derivative", "temperatures_citytotals")
        ]
        return stored == {key for (key,) in keys} and not any(dead)

    wait_until(match, seconds=60, what="nothing is left of dead runs")


def test_a_file_whose_worker_is_killed_twice_counts_once(
    timba: TimbaProcess, owner: ApiClient
) -> None:
    # Lines with quotes are parsed one by one, which takes long enough to be killed meanwhile.
    two_lines = '"42","1.00","2026-11-01T00:00:00Z"\n"42","2.01","2026-11-02T00:00:00Z"\n'
    lines = two_lines * (LINES // 2)
    upload = owner.post("/upload/", files={"file": ("yard.csv", lines)}).json()
    for attempt in (1, 2):
        claimed = f"SELECT 1 FROM files_file WHERE attempts = {attempt} AND status = 'PENDING'"
        wait_until(
            lambda: bool(query(timba, claimed)),  # noqa: B023 - called at once
            seconds=120,
            what=f"attempt {attempt} has begun",
        )
        time.sleep(0.3)  # some of the readings are staged
        kill_worker(timba)
        task = owner.get("/api/task-status/", params={"task_id": upload["task_id"]}).json()
        assert task["status"] == "PENDING"
    assert owner.wait_for_task(upload["task_id"])["status"] == "SUCCESS"
    statistics = owner.get("/temperature-readings/42/").json()
    assert (statistics["count"], statistics["mean_temp"]) == (LINES, 1.51)
    assert events_of(owner, [upload["file_id"]]) == [PROCESSED]
    check_objects(timba)


def test_photos_whose_worker_is_killed_are_processed_once(
    timba: TimbaProcess, owner: ApiClient
) -> None:
    content = [
        photo((1600, 1200), exif={ExifTags.Base.ImageDescription: str(n)}) for n in range(PHOTOS)
    ]
    files = [("images", (f"{number}.jpg", content[number])) for number in range(PHOTOS)]
    batch = owner.post("/api/upload/", files=files).json()
    for left in (PHOTOS * 2 // 3, PHOTOS // 3):
        pending = "SELECT COUNT(*) FROM files_file WHERE status = 'PENDING'"
        wait_until(
            lambda: query(timba, pending)[0][0] <= left,  # noqa: B023 - called at once
            seconds=120,
            what=f"{left} photos are left",
        )
        kill_worker(timba)
    tasks = [owner.wait_for_task(task_id) for task_id in batch["task_ids"]]
    assert [task["status"] for task in tasks] == ["SUCCESS"] * PHOTOS
    assert [task["result"]["name"] for task in tasks] == batch["valid_images"]
    file_ids = [file["file_id"] for file in batch["files"]]
    assert events_of(owner, file_ids) == [PROCESSED] * PHOTOS
    check_objects(timba)


def test_metrics_are_those_of_all_processes_and_do_not_go_back(
    timba: TimbaProcess, owner: ApiClient
) -> None:
    name = 'timba_file_seconds_count{kind="text",status="SUCCESS"}'

    def texts() -> float:
        lines = requests.get(f"{timba.url}/metrics", timeout=60).text.splitlines()
        values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        return sum(values)

    before = texts()
    file = owner.post("/api/files/", files={"file": ("seal.txt", b"88412 intact")}).json()
    assert owner.wait_for_task(file["task_id"])["status"] == "SUCCESS"
    # The worker counts it once the outcome is committed.
    wait_until(lambda: texts() > before, seconds=60, what="the file is counted")
    kill_worker(timba)
    assert texts() == before + 1
