"""The demo: its start, the API on its data, a killed worker, and its end."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.journeys.processes import free_port, wait_until
from tests.journeys.timba_process import MANAGE, ROOT, ApiClient, TimbaProcess
from timba.demo.files import READINGS

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def timba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimbaProcess]:
    with TimbaProcess(tmp_path_factory.mktemp("demo")) as timba:
        yield timba


@pytest.fixture(scope="module")
def manager(timba: TimbaProcess) -> ApiClient:
    return timba.sign_in("ilze", timba.password_of("ilze"))


def wait_for_line(timba: TimbaProcess, beginning: str) -> str:
    """Return the last line of the output that starts with `beginning`."""
    lines: list[str] = []

    def is_printed() -> bool:
        lines[:] = [line for line in timba.output if line.startswith(beginning)]
        return bool(lines)

    wait_until(is_printed, seconds=60, what=f"“{beginning}” is printed")
    return lines[-1]


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (120, 90, 60)).save(out, "JPEG")
    return out.getvalue()


def test_it_prints_its_url_and_how_to_sign_in(timba: TimbaProcess) -> None:
    assert wait_for_line(timba, "Timba is ready") == (
        f"Timba is ready at {timba.url}/ Sign in as “admin” with the password “admin”. "
        "Ctrl-C ends Timba."
    )
    assert {line.split()[0] for line in timba.output if len(line.split()) > 3} >= {
        "owner",
        "manager",
        "operator",
        "viewer",
    }
    assert timba.sign_in("admin", "admin").get("/health/ready").json()["status"] == "ok"


def test_only_its_own_account_can_read_its_files(timba: TimbaProcess) -> None:
    processes = [Path(f"/proc/{pid}/status").read_text() for pid in timba.children()]
    assert len(processes) >= 4
    umasks = [re.findall(r"^Umask:\t(.+)$", text, re.MULTILINE) for text in processes]
    assert umasks == [["0077"]] * len(processes)
    # Files may disappear meanwhile; `find` tolerates that.
    find = ["find", timba.data_folder, "-perm", "/077"]
    assert subprocess.run(find, check=False, capture_output=True).stdout == b""


def test_every_file_of_the_demo_company_is_processed_successfully(
    timba: TimbaProcess, manager: ApiClient
) -> None:
    def statuses() -> set[str]:
        return {file["status"] for file in manager.get("/api/files/").json()["results"]}

    wait_until(lambda: "PENDING" not in statuses(), seconds=60, what="all files are settled")
    files = manager.get("/api/files/").json()["results"]
    assert len(files) >= 8
    assert statuses() == {"SUCCESS"}
    cities = manager.get("/temperature-readings/").json()["cities"]
    assert [city["name"] for city in cities] == ["Ventspils", "Kuldīga", "Valmiera"]
    assert {city["count"] for city in cities} == {READINGS}


def test_a_temperature_file_counts_its_good_lines_and_reports_its_bad_ones(
    manager: ApiClient,
) -> None:
    content = (
        "city_id,temperature,timestamp\n"
        "42,1.00,2026-11-01T00:00:00Z\n"
        "42,hot,2026-11-01T01:00:00Z\n"
        "42,2.01,2026-11-01T02:00:00Z\n"
    )
    accepted = manager.post("/upload/", files={"file": ("yard.csv", content)})
    assert accepted.status_code == 201
    task = manager.wait_for_task(accepted.json()["task_id"])
    assert task["status"] == "SUCCESS"
    result = task["result"]
    assert (result["rows"], result["accepted"], result["rejected"]) == (3, 2, 1)
    assert [bad["line"] for bad in result["first_errors"]] == [3]
    statistics = manager.get("/temperature-readings/42/").json()
    assert (statistics["count"], statistics["min_temp"], statistics["max_temp"]) == (2, 1.0, 2.01)
    assert statistics["mean_temp"] == 1.51, "1.505, rounded half away from zero"
    rejects = manager.get(f"/api/files/{accepted.json()['file_id']}/rejects/").text.splitlines()
    assert rejects[0] == "line,reason,text"
    assert rejects[1].startswith("3,")


def test_one_bad_file_does_not_reject_a_batch(manager: ApiClient) -> None:
    batch = [
        ("images", ("load.jpg", photo())),
        ("images", ("notes.jpg", b"not a picture at all")),
        ("files", ("gate.txt", b"62 logs, seal intact\n")),
    ]
    response = manager.post("/api/upload/", files=batch)
    assert response.status_code == 202
    body = response.json()
    assert [file["name"] for file in body["files"]] == ["load.jpg", "gate.txt"]
    assert [error["name"] for error in body["errors"]] == ["notes.jpg"]
    picture, text = (manager.wait_for_task(task_id) for task_id in body["task_ids"])
    assert (picture["status"], picture["result"]["width"]) == ("SUCCESS", 640)
    assert 1 <= picture["result"]["random_number"] <= 1000
    assert (text["status"], text["result"]["words"]) == ("SUCCESS", 4)


def test_a_notes_create_and_update_are_in_the_history(manager: ApiClient) -> None:
    last = manager.get("/api/events/", params={"after": 0, "limit": 1000}).json()["events"][-1]
    note = manager.post("/api/notes/", json={"title": "Seal", "content": "intact"})
    assert note.status_code == 201
    path = f"/api/notes/{note.json()['id']}/"
    assert manager.request("PATCH", path, json={"content": "broken"}).status_code == 200
    response = manager.get(
        "/api/events/", params={"after": last["sequence"], "topic": "note_events"}
    )
    events = response.json()["events"]
    assert [(event["value"]["action"], event["value"]["note"]["content"]) for event in events] == [
        ("create", "intact"),
        ("update", "broken"),
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_steps_of_the_readme_work(timba: TimbaProcess) -> None:
    readme = (ROOT / "README.md").read_text()
    [steps] = [block for block in readme.split("```") if block.startswith("bash\nurl=")]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", steps.removeprefix("bash\n")],
        env={**os.environ, "TIMBA_URL": timba.url, "TIMBA_DATA_DIR": str(timba.data_folder)},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    upload, batch, files, city, note, events = map(json.loads, done.stdout.splitlines())
    assert upload["status"] == "PENDING"
    assert [(f["name"], f["status"]) for f in batch["files"]] == [("gate.txt", "PENDING")]
    assert [error["name"] for error in batch["errors"]] == ["broken.jpg"]
    assert [f["name"] for f in files["results"]] == ["gate.txt", "yard.csv"]
    assert {f["status"] for f in files["results"]} == {"SUCCESS"}
    assert files["results"][1]["result"]["rejected"] == 1
    assert (city["count"], city["min_temp"], city["max_temp"]) == (2, -3.2, 1.05)
    assert note["title"] == "Seal"
    assert events["events"][-1]["value"]["note"]["id"] == note["id"]


def test_a_killed_worker_is_reported(timba: TimbaProcess) -> None:
    [worker] = [pid for pid, line in timba.mains().items() if line.endswith(" work ")]
    os.kill(worker, signal.SIGKILL)
    line = wait_for_line(timba, "The worker process ended")
    assert line == "The worker process ended (SIGKILL). It is started again in 0.5 s."
    log = timba.data_folder / "log/timba.log"
    wait_until(lambda: line in log.read_text(), seconds=60, what="the log has the line too")


def test_a_worker_ends_however_many_signals_it_gets(timba: TimbaProcess, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        worker = subprocess.Popen(
            [*MANAGE, "work"], env=timba.environment(), stdout=file, stderr=file
        )
    try:
        wait_until(lambda: "worker_ready" in output.read_text(), seconds=60, what="it is ready")
        deadline = time.monotonic() + 60
        while worker.poll() is None and time.monotonic() < deadline:
            worker.send_signal(signal.SIGTERM)
        assert worker.returncode == 0
    finally:
        worker.kill()
        worker.wait()


def test_gunicorn_serves_timba_with_the_command_in_operations_md(
    timba: TimbaProcess, tmp_path: Path
) -> None:
    [line] = [
        line
        for line in (ROOT / "docs/operations.md").read_text().splitlines()
        if line.startswith("/opt/timba/bin/gunicorn timba.config.wsgi ")
    ]
    address = f"127.0.0.1:{free_port()}"
    arguments = shlex.split(line.replace("127.0.0.1:8000", address))[1:]
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments, "--log-level=warning"],
        cwd=ROOT,
        env={**timba.environment(), "HOME": str(tmp_path)},
    )

    def is_ready() -> bool:
        try:
            return requests.get(f"http://{address}/health/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    try:
        wait_until(is_ready, seconds=60, what="gunicorn answers")
        page = requests.get(f"http://{address}/login/", headers={"Accept": "text/html"}, timeout=60)
        assert page.status_code == 200
        assert list(tmp_path.iterdir()) == [], "no socket in the home directory"
    finally:
        gunicorn.terminate()
        assert gunicorn.wait(timeout=60) == 0


def test_sigterm_and_sigkill_end_every_process_and_a_restart_keeps_the_data(
    timba: TimbaProcess,
) -> None:
    assert timba.stop(signal.SIGTERM) == 0
    assert timba.children() == {}
    lines_before = len(timba.output)
    timba.start()
    restart_output = timba.output[lines_before:]
    assert not any("Loading the demo company" in line for line in restart_output)
    manager = timba.sign_in("ilze", timba.password_of("ilze"))
    assert len(manager.get("/api/files/").json()["results"]) >= 8
    assert timba.stop(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not timba.children(), seconds=60, what="every child has ended")
