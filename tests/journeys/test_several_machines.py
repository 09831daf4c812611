"""Two machines with one PostgreSQL and one folder of files: what one accepts, the other does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.timba_process import SERVE, ApiClient, TimbaProcess
from tests.servers import DedicatedServer
from tools.servers.databases import PostgreSQL

pytestmark = pytest.mark.journey


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[TimbaProcess, TimbaProcess]]:
    """Return a machine with only a web server, and one with a worker too."""
    files = tmp_path / "files"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "files").symlink_to(files)
    files.mkdir()
    with DedicatedServer(PostgreSQL()) as server:
        shared = {
            **server.variables(),
            "TIMBA_SECRET_KEY": "a key of sessions that both of these machines have been given",
            "TIMBA_JWT_KEY": "a key of tokens that both of these machines have been given too",
        }
        only = ("--only", "web")
        with (
            TimbaProcess(tmp_path / "one", (*SERVE, *only), **shared) as one,
            TimbaProcess(
                tmp_path / "other", (*SERVE, *only, "--only", "worker"), **shared
            ) as other,
        ):
            yield one, other


def test_a_file_that_one_machine_accepts_is_processed_by_the_other(
    machines: tuple[TimbaProcess, TimbaProcess],
) -> None:
    one, other = machines
    owner = one.create_owner()
    file = owner.post("/upload/", files={"file": ("yard.csv", b"42,1.5,2026-11-01T00:00:00Z\n")})
    token = owner.authorization.removeprefix("Bearer ")
    there = ApiClient(other.url, token)  # the token of the one machine
    assert there.wait_for_task(file.json()["task_id"])["status"] == "SUCCESS"
    assert there.get("/temperature-readings/42/").json()["mean_temp"] == 1.5
    assert owner.get("/temperature-readings/42/").json()["mean_temp"] == 1.5
