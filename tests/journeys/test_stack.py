"""`make stack`: the first look again, on the real servers, with Kafka's own word for the end."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.console_consumer import printed
from tests.journeys.processes import wait_until, with_variable
from tests.journeys.timba_process import ROOT, TimbaProcess
from tests.own_servers import refuse_or_skip
from tools.servers.cluster import DEPENDENCIES
from tools.servers.state import ServerState

pytestmark = pytest.mark.journey

NAMES = ("postgres", "redis", "versitygw", "kafka")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return where the stack's servers live; users of their own must be able to come in."""
    folder = Path(tempfile.mkdtemp(prefix="timba-stack-test-"))
    folder.chmod(0o711)
    yield folder
    for left in folder.glob("timba-stack-*"):  # where a test failed
        subprocess.run(
            [ROOT / "tools" / "services", "down"],
            env={**os.environ, "TIMBA_SERVICES_DIR": str(left)},
            check=True,
        )
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def timba(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    for name in NAMES:
        refuse_or_skip(DEPENDENCIES[name])
    process = TimbaProcess(
        tmp_path_factory.mktemp("stack"),
        command=[sys.executable, str(ROOT / "tools" / "stack")],
        TMPDIR=str(folder),
    )
    try:
        process.start()
        yield process
    finally:
        process.clean_up()


def place(folder: Path, name: str) -> ServerState:
    [run] = folder.glob("timba-stack-*")
    return ServerState(run=run, name=name)


def test_the_journey_ends_in_kafka(timba: TimbaProcess, folder: Path) -> None:
    manager = timba.sign_in("ilze", timba.password_of("ilze"))
    health = manager.get("/health/ready").json()["checks"]
    assert set(health) == {"database", "storage", "sandbox", "broker", "kafka", "events"}
    readings = b"42,1.00,2026-11-01T00:00:00Z\n42,hot,2026-11-01\n42,2.01,2026-11-02T00:00:00Z\n"
    sent = manager.post("/upload/", files={"file": ("yard.csv", readings)}).json()
    result = manager.wait_for_task(sent["task_id"])["result"]
    assert (result["accepted"], result["rejected"]) == (2, 1)
    assert manager.get("/temperature-readings/42/").json()["mean_temp"] == 1.51
    picture = io.BytesIO()
    Image.new("RGB", (640, 480), (120, 90, 60)).save(picture, "JPEG")
    batch = [
        ("images", ("load.jpg", picture.getvalue())),
        ("images", ("bad.jpg", b"no picture")),
        ("files", ("gate.txt", b"62 logs, seal intact\n")),
    ]
    answer = manager.post("/api/upload/", files=batch).json()
    assert [refused["name"] for refused in answer["errors"]] == ["bad.jpg"]
    tasks = [manager.wait_for_task(task_id) for task_id in answer["task_ids"]]
    assert [task["status"] for task in tasks] == ["SUCCESS", "SUCCESS"]
    note = manager.post("/api/notes/", json={"title": "Seal", "content": "intact"}).json()
    changed = manager.request("PATCH", f"/api/notes/{note['id']}/", json={"content": "broken"})
    wait_until(
        lambda: manager.get("/health/ready").json()["status"] == "ok", seconds=60, what="all is ok"
    )
    broker = place(folder, "kafka").instance()
    assert broker is not None
    told = [one.value for one in printed(broker, "note_events") if one.key == str(note["id"])]
    assert told == [
        {"action": "create", "note": note},
        {"action": "update", "note": changed.json()},
    ]


def test_one_signal_ends_all_of_it(timba: TimbaProcess, folder: Path) -> None:
    servers = [place(folder, name).identity() for name in NAMES]
    assert None not in servers
    processes = with_variable("TIMBA_DATA_DIR", str(timba.data_folder))
    assert len(processes) > 8, "supervisor, web, two workers with their children, beat, relay"
    assert timba.stop(signal.SIGINT, seconds=60) == 0
    assert with_variable("TIMBA_DATA_DIR", str(timba.data_folder)) == {}
    assert not any(server.is_alive() for server in servers if server)
    assert list(folder.iterdir()) == []
