"""Crashes an installation at a failpoint, with either store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crashes.harness import Installation
from tests.journeys.timba_process import ROOT
from tests.servers import S3Server
from timba.failpoints import faults

Scenario = Callable[[Installation], None]
Crash = Callable[[str, Scenario], None]


@contextmanager
def fork_server(folder: Path, **variables: str) -> Iterator[Crash]:
    """Start a fork server in a folder; yield what crashes at a point during a scenario."""
    foreign = ("TIMBA_", "DATABASE_", "BROKER_", "STORAGE_", "CACHE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    environment |= {"DJANGO_SETTINGS_MODULE": "timba.config.settings.base", **variables}
    environment["TIMBA_DATA_DIR"] = str(folder)
    passings: dict[str, dict[str, int]] = {}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.crashes.fork_server"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):

        def run(scenario: str, order: str) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"scenario": scenario, "order": order}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()[-2000:]
            outcome: dict[str, Any] = json.loads(line)
            assert outcome["violations"] == [], f"{order}: see {folder / 'log'}"
            assert not order or outcome["acknowledged"] > 0
            return outcome

        def crash(point: str, scenario: Scenario) -> None:
            """Fail unless every invariant holds after each fault that the point can have."""
            name = scenario.__name__
            if name not in passings:
                passings[name] = run(name, "")["passed"]
            last = passings[name].get(point, 0)
            assert last, f"{name} does not pass {point}"
            # The passings between the first and the last differ little: one of them is enough.
            exits = sorted({1, (last + 1) // 2, last})
            orders = [f"{point}=exit@{passing}" for passing in exits]
            _, *errors = faults(point)
            # Timba does not tell the errors of a point apart: each comes once, at either end.
            ends = sorted({1, last})
            for number in range(max(len(errors), len(ends)) if errors else 0):
                error, passing = errors[number % len(errors)], ends[number % len(ends)]
                orders.append(f"{point}={error}@{passing}")
            for order in orders:
                run(name, order)

        yield crash
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def crash_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crash]:
    """Return what crashes an installation whose store is a folder."""
    with fork_server(tmp_path_factory.mktemp("crashes")) as crash:
        yield crash


@pytest.fixture(scope="session")
def crash_s3(versitygw: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crash]:
    """Return what crashes an installation whose store is a real S3 server."""
    folder = tmp_path_factory.mktemp("crashes")
    with fork_server(folder, STORAGE_URL=versitygw.storage_url("template")) as crash:
        yield crash


@pytest.fixture(params=["local", "s3"])
def crash(request: pytest.FixtureRequest) -> Crash:
    """Return what crashes an installation, with each store in turn."""
    found: Crash = request.getfixturevalue(f"crash_{request.param}")
    return found
