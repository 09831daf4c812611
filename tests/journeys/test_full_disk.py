"""A disk of 64 MB fills up: uploads are refused, nothing accepted is lost, and it goes on after."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.files.samples import photo
from tests.journeys.processes import wait_until
from tests.journeys.timba_process import PASSWORD, SERVE, ApiClient, TimbaProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.journey,
    pytest.mark.skipif(
        os.geteuid() != 0 and "CI" not in os.environ, reason="only root may mount a small disk"
    ),
]

FULL = "The server's disk is nearly full: nothing can be added until there is space again."
# In a mount namespace of its own, which ends with its last process: nothing has to be unmounted.
ON_A_SMALL_DISK = (
    *("unshare", "--mount", "sh", "-ec"),
    'mount -t tmpfs -o size=64m,mode=0700 tmpfs "$TIMBA_DATA_DIR"; exec "$@"',
    *("sh", *SERVE),
)


@pytest.fixture(params=["", "0"], ids=["guarded", "unguarded"])
def timba(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TimbaProcess]:
    folder = tmp_path / "data"
    folder.mkdir()
    variables = {"TIMBA_OPEN_SIGNUP": "on", "TIMBA_MIN_FREE_BYTES": request.param}
    with TimbaProcess(folder, ON_A_SMALL_DISK, **variables) as timba:
        yield timba


@pytest.fixture
def owner(timba: TimbaProcess) -> ApiClient:
    sign_up = {"name": "Sawmill", "username": "owner", "password": PASSWORD}
    assert requests.put(f"{timba.url}/timba/client", json=sign_up, timeout=60).status_code == 201
    return timba.sign_in("owner", PASSWORD)


def disk(timba: TimbaProcess) -> Path:
    """Return the data folder as the processes of Timba see it."""
    return Path(f"/proc/{timba.process.pid}/root{timba.data_folder}")


def fill(path: Path) -> None:
    """Write to a file until not one byte more fits on its disk."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 * 1024)):
            pass


def contents() -> Iterator[tuple[str, bytes]]:
    """Yield files of three kinds with their names, each about a megabyte."""
    generator = random.Random(64)
    for number in range(100):
        second = f"{number // 60:02}:{number % 60:02}"
        line = f"7,{number}.5,2026-01-01T00:{second}Z\n"
        yield f"{number}.csv", (line * 30_000).encode()
        yield f"{number}.txt", generator.randbytes(500_000).hex().encode()
        yield f"{number}.jpg", photo(size=(600 + number, 400)) + generator.randbytes(900_000)


def upload(owner: ApiClient, name: str, content: bytes) -> requests.Response:
    return owner.post("/api/files/", files={"file": (name, content)})


def health(timba: TimbaProcess) -> tuple[int, str, str]:
    response = requests.get(f"{timba.url}/health/ready", timeout=60)
    return response.status_code, response.json()["status"], response.json()["checks"]["storage"]


def test_a_disk_that_fills_up_loses_no_accepted_file(timba: TimbaProcess, owner: ApiClient) -> None:
    ballast = disk(timba) / "ballast"
    ballast.write_bytes(bytes(16 * 1024**2))
    [worker] = [pid for pid, line in timba.mains().items() if " work" in line]
    os.kill(worker, signal.SIGSTOP)
    accepted: dict[str, Any] = {}
    for name, content in contents():
        response = upload(owner, name, content)
        if response.status_code != HTTPStatus.CREATED:
            break
        accepted[response.json()["id"]] = content
    assert (response.status_code, response.json()["detail"]) == (503, FULL)
    assert response.headers["Retry-After"] == "60"
    assert len(accepted) > 10

    fill(disk(timba) / "filler")
    wait_until(lambda: health(timba) == (200, "degraded", "full"), seconds=30, what="it is full")
    os.kill(worker, signal.SIGCONT)
    response = upload(owner, "late.txt", b"larch\n")
    assert (response.status_code, response.json()["detail"]) == (503, FULL)
    for file_id, content in accepted.items():
        stored = owner.get(f"/api/files/{file_id}/content/").content
        assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()

    (disk(timba) / "filler").unlink()
    ballast.unlink()
    for file_id in accepted:
        task = owner.wait_for_task(owner.get(f"/api/files/{file_id}/").json()["task_id"])
        assert task["status"] == "SUCCESS", task
    assert upload(owner, "late.txt", b"larch\n").status_code == HTTPStatus.CREATED
    wait_until(lambda: health(timba) == (200, "ok", "ok"), seconds=30, what="health is ok again")
    log = "\n".join(timba.output)
    for unexpected in ("Traceback", '"exception": ', '"code": 500'):
        assert unexpected not in log
