"""The processes of an installation: with a broker, Celery replaces the embedded worker."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from timba.runtime.processes import processes


def test_without_a_broker_the_embedded_worker_runs(settings: Any) -> None:
    settings.BROKER_URL = ""
    assert [spec.name for spec in processes()] == ["web", "worker", "relay"]


def test_with_a_broker_celerys_worker_and_beat_run(settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    assert [spec.name for spec in processes()] == [
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
def test_third_party_commands_accept_all_their_options(
    settings: Any, tmp_path: Path, name: str
) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    [spec] = [spec for spec in processes() if spec.name == name]
    result = subprocess.run(
        [*spec.command, "--help"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    assert result.stdout.startswith("Usage:")
