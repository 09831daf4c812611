"""A server, a user of it, and the commands as another machine runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.timba_process import MANAGE, PASSWORD, SERVE, TimbaProcess


class Sender:
    """Runs the commands as `owner`, in a folder of their own."""

    def __init__(self, server: TimbaProcess, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.owner = server.create_owner()

    def command(self, *arguments: str | Path, **options: Any) -> dict[str, Any]:
        """Return what `subprocess` needs to run the command."""
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "XDG_STATE_HOME": str(self.folder / "state"),
            "TIMBA_URL": self.server.url,
            "TIMBA_USERNAME": "owner",
            "TIMBA_PASSWORD": PASSWORD,
        }
        return {
            "args": [sys.executable, MANAGE[1], *map(str, arguments)],
            "env": environment,
            "cwd": self.folder,
            "stdin": subprocess.DEVNULL,
            "text": True,
            **options,
        }

    def upload(self, *arguments: str | Path) -> tuple[int, list[str]]:
        """Run `timba upload`; return its exit status and what it printed."""
        done = subprocess.run(
            **self.command("upload", *arguments, capture_output=True), check=False, timeout=300
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    def files(self) -> list[dict[str, Any]]:
        """Return the client's files, oldest first."""
        results: list[dict[str, Any]] = self.owner.get("/api/files/").json()["results"]
        return results[::-1]


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with TimbaProcess(tmp_path / "data", SERVE) as server:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        yield Sender(server, folder)
