"""`manage.py serve --only NAME`: the processes of an installation in a container each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import SERVE, TimbaProcess

pytestmark = pytest.mark.journey


@pytest.fixture
def web(tmp_path: Path) -> Iterator[TimbaProcess]:
    with TimbaProcess(tmp_path, SERVE, TIMBA_SERVE_ONLY="web") as web:
        yield web


def test_each_process_runs_by_itself(web: TimbaProcess) -> None:
    owner = web.create_owner()
    [main] = web.mains().values()
    assert " granian " in main
    readings = b"42,1.00,2026-11-01T00:00:00Z\n"
    file = owner.post("/upload/", files={"file": ("yard.csv", readings)}).json()
    with ExitStack() as stack:
        # The port, which the web server listens on, is none of their business.
        for name in ("worker", "relay"):
            process = subprocess.Popen([*SERVE, "--only", name], env=web.environment())
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        assert owner.wait_for_task(file["task_id"])["status"] == "SUCCESS"
        wait_until(
            lambda: any(line.endswith(" relay ") for line in web.children().values()),
            seconds=60,
            what="the relay runs",
        )


def test_an_unknown_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    refused = subprocess.run(
        [*SERVE, "--only", "wep"],
        env=TimbaProcess(tmp_path).environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: There is no process “wep”. Without BROKER_URL, the processes are: "
        "web, worker, relay.\n"
    )
