"""Servers of a test's own, which it may kill, freeze and bring back; the shared ones it may not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import warnings
from pathlib import Path
from typing import Any, Self

import pytest

from tests.journeys.processes import wait_until
from tools.servers.lifecycle import ensure_installed, ensure_running, stop
from tools.servers.packages import ServerUnavailable
from tools.servers.server import Dependency, Instance, Server
from tools.servers.state import ServerState


def refuse_or_skip(dependency: Dependency) -> None:
    """Skip the test if a dependency is unavailable; in CI, fail it."""
    if reason := ensure_installed([dependency]).get(dependency.name):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def note_calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what will list the address of every connection that is tried from now on."""
    called: list[object] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        called.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return called


class OwnServer:
    """One real server on a free loopback port, in a folder of its own; a context."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="timba-own-"))
        self._folder.chmod(0o711)  # some servers run as users of their own
        self._state = ServerState(run=self._folder, name=server.name)
        self.instance: Instance

    def __enter__(self) -> Self:
        refuse_or_skip(self._server)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._server, self._state)
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, or start it again where it was, with what it kept."""
        with warnings.catch_warnings():
            # The process is known by what it wrote down; nobody holds its Popen.
            warnings.simplefilter("ignore", ResourceWarning)
            self.instance = ensure_running(self._server, self._state, durable=False)

    def kill(self) -> None:
        """End it without a word of warning."""
        self._signal(signal.SIGKILL)
        wait_until(lambda: self._state.identity() is None, seconds=60, what="the server is dead")

    def freeze(self) -> None:
        """Let it take connections and say nothing."""
        tasks = Path(f"/proc/{self._signal(signal.SIGSTOP)}/task")

        def stands_still() -> bool:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

        wait_until(stands_still, seconds=60, what="the server stands still")

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def variables(self) -> dict[str, str]:
        """Return the environment that makes Timba use it."""
        return self._server.timba_variables(self.instance)

    def _signal(self, number: signal.Signals) -> int:
        identity = self._state.identity()
        if identity is None:
            raise ServerUnavailable(f"{self._server.title} does not run.")
        os.kill(identity.pid, number)
        return identity.pid
