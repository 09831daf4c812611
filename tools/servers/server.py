"""A server: a child process on free loopback ports, with its own folder and password."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from tools.servers.dependency import Dependency
from tools.servers.machine import (
    LOOPBACK,
    ServerUnavailable,
    dying_with_parent,
    free_ports,
    is_free,
    last_line,
    listens,
    under_account,
)

_ATTEMPTS: Final = 5
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02


class Server(Dependency):
    """A dependency that runs until it is stopped, at the latest until this process ends."""

    account: ClassVar[str] = ""  # the account it runs under when this is run by root
    port_count: ClassVar[int] = 1
    # It has nothing to save: its data is removed when it has stopped.
    stop_signal: ClassVar[signal.Signals] = signal.SIGKILL
    # In these, {address}, {password} and {url} stand for its own.
    url: ClassVar[str]
    environment: ClassVar[Mapping[str, str]] = {}  # additions to its minimal environment
    settings: ClassVar[Mapping[str, str]]  # the environment variables that make Timba use it

    folder: Path
    data: Path  # in the folder
    ports: tuple[int, ...]
    password: str
    durable: bool
    process: subprocess.Popen[bytes]

    def initialize(self) -> None:
        """Create the data that it needs before its first start."""

    @abstractmethod
    def configure(self) -> tuple[str, ...]:
        """Write the configuration, before every start; return the command."""

    def is_ready(self) -> bool:
        """Whether it answers, once it listens."""
        return True

    def timba_variables(self) -> dict[str, str]:
        """Return the environment variables that make Timba use it."""
        return self._format(self.settings)

    def test_variables(self) -> dict[str, str]:
        """Return the environment variables by which tests find it, whatever Timba uses."""
        return self._format({f"TIMBA_TEST_{self.name.upper()}_URL": "{url}"})

    @property
    def address(self) -> str:
        """Return the host and port on which it listens."""
        return f"{LOOPBACK}:{self.ports[0]}"

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its account can read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        owner = self.folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        return path

    def prepare(self, folder: Path, *, durable: bool = False) -> None:
        """Create its own folder in `folder`, and its data."""
        self.folder, self.data = folder / self.name, folder / self.name / "data"
        self.durable = durable
        self.ports, self.password = free_ports(self.port_count), secrets.token_hex(16)
        self.folder.mkdir(mode=0o700)
        if under_account(self.account):
            shutil.chown(self.folder, self.account, self.account)
        self.initialize()

    def launch(self) -> None:
        """Start the process; the thread that does so must live as long as the server.

        Ctrl-C in the terminal does not reach the process, because its session is its own.
        """
        prefix = (*under_account(self.account), *dying_with_parent(self.stop_signal))
        command = (*prefix, *self.configure())
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            **self._format(self.environment),
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers; launch it again if it exits, on other ports if its were taken."""
        deadline = time.monotonic() + _START_SECONDS
        attempt = 1
        # Another process may have taken the port and speak the same protocol.
        while not (listens(self.process.pid, self.ports[0]) and self.is_ready()):
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {_START_SECONDS:.0f} s")
            if self.process.poll() is not None:
                if attempt == _ATTEMPTS:
                    raise self._failure(f"exited {_ATTEMPTS} times during its start")
                if not all(is_free(port) for port in self.ports):
                    self.ports = free_ports(self.port_count)
                # Resources of a killed predecessor may take a moment to be released.
                time.sleep(0.3 * (attempt - 1))
                attempt += 1
                self.launch()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the process, and wait for its end."""
        self.process.send_signal(self.stop_signal)
        self.process.wait()

    def _format(self, templates: Mapping[str, str]) -> dict[str, str]:
        names = {"address": self.address, "password": self.password}
        names["url"] = self.url.format_map(names)
        return {name: template.format_map(names) for name, template in templates.items()}

    def _failure(self, what: str) -> ServerUnavailable:
        output = last_line((self.folder / "log").read_text(errors="replace"))
        return ServerUnavailable(f"{self.title} {what}. The last line of its output: {output}")
