"""Notifications reach processes with other data folders, which stand for other machines here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.journeys.processes import wait_until
from tests.journeys.timba_process import ROOT, TimbaProcess
from tests.servers import DedicatedServer
from tools.servers.databases import PostgreSQL, Redis

pytestmark = pytest.mark.journey

LISTENERS = 2
DJANGO = "import django; django.setup()"
NOTIFY = f"{DJANGO}; from timba.wakeup import notify; notify('work')"
# Prints the name of the listener whose wait has ended; of two, which share a connection.
LISTEN = f"""
{DJANGO}
import threading
from timba.wakeup import Listener

def listen(name, listener):
    while True:
        listener.wait(600)
        print(name + " ", end="", flush=True)  # in one write: threads share the output

for name in ("first", "second"):
    threading.Thread(target=listen, args=(name, Listener("work"))).start()
"""


@pytest.fixture(params=[PostgreSQL, Redis], ids=["postgres", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[DedicatedServer]:
    with DedicatedServer(request.param()) as server:
        yield server


class Machines:
    """Processes of which each has a data folder of its own, with a server that all of them use."""

    def __init__(self, folder: Path, server: DedicatedServer, stack: ExitStack) -> None:
        self._folder = folder
        self._variables = server.variables()
        self._outputs = [folder / f"listener-{number}.log" for number in range(LISTENERS)]
        for output in self._outputs:
            with output.open("w") as file:
                listener = self._run(output.stem, LISTEN, stdout=file)
            stack.callback(listener.wait)
            stack.callback(listener.kill)

    def wait_until_connected(self) -> None:
        """Wait until each machine has connected, which wakes the first of its listeners."""
        wait_until(lambda: all(self.wakes("first")), seconds=60, what="all have connected")

    def notify(self) -> None:
        assert self._run("notifier", NOTIFY).wait(60) == 0

    def wakes(self, name: str) -> list[int]:
        """Return how often the listener of this name was woken, on each machine."""
        return [output.read_text().split().count(name) for output in self._outputs]

    @contextmanager
    def expect_wakes(self, *names: str) -> Iterator[None]:
        """After the context, wait until these listeners have been woken on each machine."""
        before = {name: self.wakes(name) for name in names}
        yield
        wait_until(
            lambda: all(
                new > old
                for name in names
                for new, old in zip(self.wakes(name), before[name], strict=True)
            ),
            seconds=60,
            what=f"the {' and '.join(names)} listeners are woken",
        )

    def _run(self, name: str, code: str, **streams: int) -> subprocess.Popen[bytes]:
        environment = TimbaProcess(self._folder / name, **self._variables).environment()
        environment["DJANGO_SETTINGS_MODULE"] = "timba.config.settings.base"
        return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, **streams)


def test_every_listener_is_woken_also_after_a_restart_of_the_server(
    server: DedicatedServer, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        machines = Machines(tmp_path, server, stack)
        machines.wait_until_connected()
        with machines.expect_wakes("first", "second"):
            machines.notify()
        with machines.expect_wakes("first", "second"):
            server.kill()
            machines.notify()  # fails for nobody, and is lost
            server.start()
        with machines.expect_wakes("first", "second"):
            machines.notify()
