"""Real clients of tus upload a file over connections that break, to a server that is killed."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.journeys.cutting_proxy import CuttingProxy
from tests.journeys.processes import child_pids, wait_until
from tests.journeys.timba_process import ROOT, ApiClient, TimbaProcess

pytestmark = pytest.mark.journey
MEGABYTE = 1024 * 1024
CHUNK = 4 * MEGABYTE
# Reads, headers and what the sockets hold, beside the bodies.
OVERHEAD = MEGABYTE

SendFile = Callable[[str, str, Path], str]


def send_by_python(endpoint: str, access: str, path: Path) -> str:
    """Upload a file with tuspy; return its id."""
    client = TusClient(endpoint, headers={"Authorization": f"Bearer {access}"})
    size = path.stat().st_size
    with path.open("rb") as file:
        metadata = {"filename": path.name, "kind": "text"}
        uploader = client.uploader(file_stream=file, chunk_size=CHUNK, metadata=metadata)

        def send_rest() -> bool:
            # A server that is just starting refuses connections.
            with suppress(TusCommunicationError, requests.RequestException):
                if uploader.url is None:
                    uploader.set_url(uploader.create_url())
                uploader.offset = uploader.get_offset()
                while uploader.offset < size:
                    uploader.upload_chunk()
                return True
            return False

        wait_until(send_rest, seconds=1_800, what="tuspy has sent all")
    headers = {"Authorization": f"Bearer {access}", "Tus-Resumable": "1.0.0"}
    response = requests.head(uploader.url, headers=headers, timeout=60)
    assert response.status_code == 200
    return str(response.headers["Timba-File-Id"])


def send_by_javascript(endpoint: str, access: str, path: Path) -> str:
    """Upload a file with tus-js-client; return its id."""
    script = ROOT / "tests/journeys/clients/tus_js.mjs"
    sent = subprocess.run(
        ["node", str(script), endpoint, access, str(path), str(CHUNK)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=500,
    )
    return sent.stdout.strip()


def write_file(path: Path, size: int) -> str:
    """Write a text of random lines; return its sha256."""
    numbers, digest = random.Random(48), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // MEGABYTE):
            block = numbers.randbytes(MEGABYTE // 2).hex().encode()
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def kill_web(timba: TimbaProcess, killed: list[int]) -> None:
    """Kill the web server with its workers; add their pids to `killed`."""
    mains = [pid for pid, line in timba.mains().items() if " granian " in line]
    for pid in (*mains, *child_pids(*mains)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)


def upload_with_harm(
    timba: TimbaProcess,
    owner: ApiClient,
    path: Path,
    size: int,
    send: SendFile,
    *,
    cuts: int,
    kills: int,
) -> None:
    """Write and upload a file while connections break and the web server is killed, at random."""
    digest = write_file(path, size)
    every = (cuts + kills) // kills
    killed: list[int] = []
    kill = partial(kill_web, timba, killed)
    places = sorted(random.Random(size).sample(range(size), cuts + kills))
    harms: dict[int, Callable[[], object] | None] = {
        place: kill if number % every == 0 else None for number, place in enumerate(places, start=1)
    }
    access = owner.authorization.removeprefix("Bearer ")
    with CuttingProxy(timba.port, harms) as proxy:
        file_id = send(f"{proxy.url}/api/files/tus/", access, path)
        assert proxy.done == cuts + kills
        assert len(killed) >= kills
        twice = proxy.sent - size
    print(f"{size:,} bytes, {cuts} cuts, {kills} kills: {twice:,} bytes sent twice")
    # At most one chunk for each.
    assert twice <= (cuts + kills) * CHUNK + OVERHEAD
    wait_until(timba.is_ready, seconds=60, what="Timba is ready")
    content = hashlib.sha256()
    with owner.get(f"/api/files/{file_id}/content/", stream=True) as response:
        assert response.status_code == 200
        for block in response.iter_content(MEGABYTE):
            content.update(block)
    file = owner.get(f"/api/files/{file_id}/").json()
    assert (file["size"], file["sha256"], content.hexdigest()) == (size, digest, digest)
    files = owner.get("/api/files/").json()["results"]
    assert [each["id"] for each in files if each["name"] == path.name] == [file_id]
    assert list((timba.data_folder / "uploads-in-parts").glob("*-*-*-*-*")) == []


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(send_by_python, id="tuspy"),
        pytest.param(
            send_by_javascript,
            id="tus-js-client",
            marks=pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node"),
        ),
    ],
)
def test_a_file_survives_cuts_and_kills(
    timba: TimbaProcess, owner: ApiClient, tmp_path: Path, send: SendFile
) -> None:
    path = tmp_path / f"{send.__name__}.txt"
    upload_with_harm(timba, owner, path, 60 * MEGABYTE, send, cuts=6, kills=2)


@pytest.mark.slow
def test_a_gigabyte_survives_fifty_cuts_and_five_kills(
    timba: TimbaProcess, owner: ApiClient, tmp_path: Path
) -> None:
    path = tmp_path / "a gigabyte.txt"
    upload_with_harm(timba, owner, path, 1024 * MEGABYTE, send_by_python, cuts=50, kills=5)
