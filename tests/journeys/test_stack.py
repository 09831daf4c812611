"""`make stack`: the demo on real servers, up to the messages in Kafka."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from PIL import Image

from tests.events.kafka import read_topic
from tests.journeys.processes import find_processes, wait_until
from tests.journeys.timba_process import ROOT, TimbaProcess
from tests.servers import skip_or_fail
from tools.servers.databases import PostgreSQL, Redis
from tools.servers.dependency import ensure_installed
from tools.servers.kafka import Kafka
from tools.servers.machine import is_free
from tools.servers.s3 import VersityGW
from tools.servers.server import Server

pytestmark = pytest.mark.journey

SERVERS = (PostgreSQL, Redis, VersityGW, Kafka)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return the folder of the stack's servers, which run under other users and must reach it."""
    with TemporaryDirectory(prefix="timba-stack-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def timba(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    for reason in ensure_installed([server() for server in SERVERS]).values():
        skip_or_fail(reason)
    command = [sys.executable, str(ROOT / "tools" / "stack")]
    with TimbaProcess(tmp_path_factory.mktemp("stack"), command, TMPDIR=str(folder)) as timba:
        yield timba


def address_of(server: type[Server], timba: TimbaProcess) -> str:
    """Return the address that was printed for a server."""
    [line] = [line for line in timba.output if line.startswith(f"{server.title} ")]
    return line.rstrip(".\n").split()[-1]


def test_changes_of_a_note_reach_kafka(timba: TimbaProcess) -> None:
    manager = timba.sign_in("ilze", timba.password_of("ilze"))
    health = manager.get("/health/ready").json()["checks"]
    assert set(health) == {"database", "storage", "sandbox", "broker", "kafka", "events"}
    readings = b"42,1.00,2026-11-01T00:00:00Z\n42,hot,2026-11-01\n42,2.01,2026-11-02T00:00:00Z\n"
    upload = manager.post("/upload/", files={"file": ("yard.csv", readings)}).json()
    result = manager.wait_for_task(upload["task_id"])["result"]
    assert (result["accepted"], result["rejected"]) == (2, 1)
    assert manager.get("/temperature-readings/42/").json()["mean_temp"] == 1.51
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), (120, 90, 60)).save(picture, "JPEG")
    batch = [
        ("images", ("load.jpg", picture.getvalue())),
        ("images", ("bad.jpg", b"no picture")),
        ("files", ("gate.txt", b"62 logs, seal intact\n")),
    ]
    response = manager.post("/api/upload/", files=batch).json()
    assert [error["name"] for error in response["errors"]] == ["bad.jpg"]
    tasks = [manager.wait_for_task(task_id) for task_id in response["task_ids"]]
    assert [task["status"] for task in tasks] == ["SUCCESS", "SUCCESS"]
    note = manager.post("/api/notes/", json={"title": "Seal", "content": "intact"}).json()
    changed = manager.request("PATCH", f"/api/notes/{note['id']}/", json={"content": "broken"})
    wait_until(
        lambda: manager.get("/health/ready").json()["status"] == "ok", seconds=60, what="all is ok"
    )
    records = read_topic(address_of(Kafka, timba), "note_events")
    assert [record.value for record in records if record.key == str(note["id"])] == [
        {"action": "create", "note": note},
        {"action": "update", "note": changed.json()},
    ]


def test_one_signal_ends_every_process(timba: TimbaProcess, folder: Path) -> None:
    ports = [int(address_of(server, timba).partition(":")[2]) for server in SERVERS]
    assert not any(is_free(port) for port in ports)
    processes = find_processes("TIMBA_DATA_DIR", str(timba.data_folder))
    assert len(processes) > 8, "supervisor, web, two workers with their children, beat, relay"
    assert timba.stop(signal.SIGTERM, seconds=60) == 0
    assert find_processes("TIMBA_DATA_DIR", str(timba.data_folder)) == {}
    assert all(is_free(port) for port in ports)
    assert list(folder.iterdir()) == []
