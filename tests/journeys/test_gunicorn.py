"""The line that operations.md gives for gunicorn serves Timba."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.journeys.processes import end_all, free_port, wait_until
from tests.journeys.timba_process import ROOT

pytestmark = pytest.mark.journey


def test_gunicorn_serves_timba_and_leaves_no_socket_in_the_home_directory(tmp_path: Path) -> None:
    [line] = [
        line
        for line in (ROOT / "docs/operations.md").read_text().splitlines()
        if line.startswith("gunicorn timba.config.wsgi ")
    ]
    port = free_port()
    arguments = shlex.split(line.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))[1:]
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "TIMBA_DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    }
    for command in (["migrate"], ["createcachetable"], ["collectstatic", "--no-input"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "--verbosity=0"],
            cwd=ROOT,
            env=environment,
            check=True,
        )
    with (tmp_path / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:

        def is_ready() -> bool:
            try:
                answer = requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5)
            except requests.RequestException:
                return False
            return answer.json() == {
                "status": "ok",
                "checks": {"database": "ok", "storage": "ok"},
            }

        wait_until(is_ready, seconds=60, what="gunicorn answers")
        page = requests.get(
            f"http://127.0.0.1:{port}/login/", headers={"Accept": "text/html"}, timeout=30
        )
        assert page.status_code == 200
        assert list(home.iterdir()) == []
        process.terminate()
        assert process.wait(timeout=40) == 0
    finally:
        end_all("TIMBA_DATA_DIR", str(tmp_path / "data"))
        process.wait(timeout=20)
