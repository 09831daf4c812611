"""What runs together: with a broker, Celery takes the embedded worker's place."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from timba.runtime.processes import processes


def test_without_a_broker_the_embedded_worker_runs(settings: Any) -> None:
    settings.BROKER_URL = ""
    assert [program.name for program in processes()] == ["web", "worker", "relay"]


def test_with_a_broker_celerys_worker_and_beat_run(settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    assert [program.name for program in processes()] == [
        "web",
        "bulk worker",
        "fast worker",
        "beat",
        "relay",
    ]


def test_the_web_server_listens_where_it_is_told(settings: Any) -> None:
    settings.TIMBA_HOST, settings.TIMBA_PORT = "127.0.0.9", 8123
    settings.TIMBA_WEB_WORKERS = 2
    web = processes()[0]
    assert {"--host=127.0.0.9", "--port=8123", "--workers=2"} <= set(web.command)


@pytest.mark.parametrize("name", ["web", "fast worker", "beat"])
def test_a_program_of_others_knows_all_of_its_options(
    settings: Any, tmp_path: Path, name: str
) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    [program] = [program for program in processes() if program.name == name]
    asked = subprocess.run(
        [*program.command, "--help"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    assert asked.stdout.startswith("Usage:")
