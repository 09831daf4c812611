"""The processes of an installation: with a broker, Celery replaces the embedded worker."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from timba.runtime.processes import processes


def test_without_a_broker_the_embedded_worker_runs(settings: Any) -> None:
    settings.BROKER_URL = ""
    assert [spec.name for spec in processes()] == ["web", "worker", "relay"]


def test_with_a_broker_celerys_worker_and_beat_run(settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    assert [spec.name for spec in processes()] == [
        "web",
        "bulk",
        "fast",
        "beat",
        "relay",
    ]


def test_only_the_named_processes_run(settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    assert [spec.name for spec in processes(only=["beat", "web"])] == ["web", "beat"]


@pytest.mark.parametrize(
    ("broker", "name", "condition", "names"),
    [
        ("", "fast", "Without BROKER_URL", "web, worker, relay"),
        ("redis://host/0", "worker", "With BROKER_URL", "web, bulk, fast, beat, relay"),
    ],
)
def test_a_process_that_this_installation_does_not_have_is_refused(
    settings: Any, broker: str, name: str, condition: str, names: str
) -> None:
    settings.BROKER_URL = broker
    with pytest.raises(CommandError) as error:
        processes(only=["web", name])
    assert str(error.value) == (
        f"There is no process “{name}”. {condition}, the processes are: {names}."
    )


def test_the_web_server_listens_where_it_is_told(settings: Any) -> None:
    settings.TIMBA_HOST, settings.TIMBA_PORT = "127.0.0.9", 8123
    settings.TIMBA_WEB_WORKERS = 2
    web = processes()[0]
    assert {"--host=127.0.0.9", "--port=8123", "--workers=2"} <= set(web.command)


@pytest.mark.parametrize("name", ["web", "fast", "beat"])
def test_third_party_commands_accept_all_their_options(
    settings: Any, tmp_path: Path, name: str
) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:6379/0"
    [spec] = [spec for spec in processes() if spec.name == name]
    result = subprocess.run(
        [*spec.command, "--help"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    assert result.stdout.startswith("Usage:")
