"""Several machines or containers start at the same moment on an empty database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.journeys.timba_process import ROOT, TimbaProcess
from tests.servers import DedicatedServer, skip_or_fail
from tools.servers.databases import MariaDB, PostgreSQL

pytestmark = pytest.mark.journey

STARTS = 4
PREPARE = "import django; django.setup(); from timba.runtime.bootstrap import prepare; prepare()"


@pytest.fixture(params=["sqlite", PostgreSQL, MariaDB], ids=["sqlite", "postgres", "mariadb"])
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    """Return the environment of each machine; with SQLite, they share a data folder."""
    if request.param is MariaDB and find_spec("MySQLdb") is None:
        skip_or_fail("MariaDB's driver is not installed. Build it: make mariadb")
    with ExitStack() as stack:
        variables, names = {}, ["shared"] * STARTS
        if request.param != "sqlite":
            variables = stack.enter_context(DedicatedServer(request.param())).variables()
            names = [f"machine-{number}" for number in range(STARTS)]
        yield [TimbaProcess(tmp_path / name, **variables).environment() for name in names]


def run(environment: dict[str, str], *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**environment, "DJANGO_SETTINGS_MODULE": "timba.config.settings.base"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_all_of_them_start(machines: list[dict[str, str]]) -> None:
    starts = [run(environment, "-c", PREPARE) for environment in machines]
    outputs = [start.communicate(timeout=300)[0] for start in starts]
    assert [start.returncode for start in starts] == [os.EX_OK] * STARTS, "\n".join(outputs)
    check = run(machines[0], "manage.py", "migrate", "--check")
    assert (check.communicate(timeout=120)[0], check.returncode) == ("", os.EX_OK)
