"""Real servers: S3 servers that all tests share, and servers that one test may kill and restart.

`tools/services run --tests` starts the shared ones and names their addresses in variables. What is
missing skips the test with the reason, or fails it if CI=true.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, NoReturn, Self

import pytest

from tests.journeys.processes import wait_until
from tools.servers.dependency import ensure_installed
from tools.servers.machine import has_connections
from tools.servers.server import Server


class S3Server(NamedTuple):
    """A shared S3 server; each test creates its own bucket."""

    url: str  # with its keys

    def storage_url(self, bucket: str) -> str:
        """Return the STORAGE_URL of a bucket on this server."""
        return f"s3+{self.url}/{bucket}"


def pytest_report_header() -> list[str]:
    """Name each real server with its version, and the reason why another is missing."""
    servers = os.environ.get("TIMBA_TEST_SERVERS") or "none (tools/services run)"
    missing = (reason for name, reason in os.environ.items() if name.endswith("_MISSING"))
    return [f"real servers: {servers}", *(f"missing: {reason}" for reason in sorted(missing))]


@pytest.fixture(scope="session")
def versitygw() -> S3Server:
    """Return the S3 server that Timba's compose file contains."""
    return _s3_server("versitygw")


@pytest.fixture(scope="session")
def minio() -> S3Server:
    """Return MinIO, a widespread S3 server."""
    return _s3_server("minio")


def _s3_server(name: str) -> S3Server:
    prefix = f"TIMBA_TEST_{name.upper()}"
    url = os.environ.get(f"{prefix}_URL")
    if not url:
        start = f"{prefix}_URL is not set. Start it: tools/services run --tests {name} -- pytest …"
        skip_or_fail(os.environ.get(f"{prefix}_MISSING", start))
    return S3Server(url)


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, because something is missing here; in CI, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class DedicatedServer:
    """A real server, started as a child of the test process; a context manager."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def __enter__(self) -> Self:
        if reason := ensure_installed([self.server]).get(self.server.name):
            skip_or_fail(reason)
        self._folder = TemporaryDirectory(prefix="timba-own-")
        Path(self._folder.name).chmod(0o711)  # some servers run under another user
        self.server.prepare(Path(self._folder.name))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, or restart it on the same port with the same data."""
        self.server.launch()
        self.server.wait_until_ready()

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait until its connections are closed.

        PostgreSQL has a process for each connection, which ends by itself a moment later: a query
        that reached one before that would fail, as it does in the middle of any outage.
        """
        self.server.process.kill()
        self.server.process.wait()
        wait_until(
            lambda: not any(map(has_connections, self.server.ports)),
            seconds=10,
            what=f"the connections to {self.server.title} are closed",
        )

    def pause(self) -> None:
        """Stop it with SIGSTOP: the kernel accepts connections, but no response follows."""
        self.server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.process.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Continue it with SIGCONT."""
        self.server.process.send_signal(signal.SIGCONT)

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make Timba use it."""
        return self.server.timba_variables()


def record_connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list to which the address of every attempted connection is appended from now on."""
    addresses: list[object] = []
    connect = socket.socket.connect

    def recorded_connect(self: socket.socket, address: Any) -> None:
        addresses.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorded_connect)
    return addresses
