"""Servers for a single test, which it may kill, pause and restart, unlike the shared ones."""

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


def require_installed(dependency: Dependency) -> None:
    """Skip the test if a dependency is unavailable; in CI, fail it."""
    if reason := ensure_installed([dependency]).get(dependency.name):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def record_connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list to which the address of every attempted connection is appended from now on."""
    addresses: list[object] = []
    connect = socket.socket.connect

    def recorded_connect(self: socket.socket, address: Any) -> None:
        addresses.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorded_connect)
    return addresses


class DedicatedServer:
    """A real server on a free loopback port with its own data folder; a context manager."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="timba-own-"))
        self._folder.chmod(0o711)  # some servers run under another user
        self._state = ServerState(run=self._folder, name=server.name)
        self.instance: Instance

    def __enter__(self) -> Self:
        require_installed(self._server)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._server, self._state)
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, or restart it on the same port with the same data."""
        with warnings.catch_warnings():
            # The state file identifies the process; its Popen object is not kept.
            warnings.simplefilter("ignore", ResourceWarning)
            self.instance = ensure_running(self._server, self._state, durable=False)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._signal(signal.SIGKILL)
        wait_until(lambda: self._state.identity() is None, seconds=60, what="the server is dead")

    def pause(self) -> None:
        """Stop it with SIGSTOP: the kernel accepts connections, but no response follows."""
        tasks = Path(f"/proc/{self._signal(signal.SIGSTOP)}/task")

        def is_stopped() -> bool:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

        wait_until(is_stopped, seconds=60, what="the server is stopped")

    def resume(self) -> None:
        """Continue it with SIGCONT."""
        self._signal(signal.SIGCONT)

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make Timba use it."""
        return self._server.timba_variables(self.instance)

    def _signal(self, number: signal.Signals) -> int:
        identity = self._state.identity()
        if identity is None:
            raise ServerUnavailable(f"{self._server.title} does not run.")
        os.kill(identity.pid, number)
        return identity.pid
