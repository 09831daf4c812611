"""The interface of a dependency and of a server: how it is installed, started and checked."""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from tools.servers.packages import ServerUnavailable, credentials_of, find_executable, run
from tools.servers.ports import LOOPBACK

_READY: Final = "prepared"


class Dependency(ABC):
    """A program that tests need on the machine, from a Debian package or from the build cache."""

    name: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[Mapping[str, str]]  # the Debian package of each executable
    service: ClassVar[str] = ""  # the system-wide server that the package starts

    def find(self, executable: str) -> str | None:
        """Return the path of one of its executables, or None."""
        return find_executable(executable)

    def path(self, executable: str) -> str:
        """Return the path of one of its executables; raise ServerUnavailable if there is none."""
        path = self.find(executable)
        if path is None:
            raise ServerUnavailable(
                f"{self.title} is not on this machine: there is no {executable}."
            )
        return path

    def missing_packages(self) -> list[str]:
        """Return the Debian packages that are still missing."""
        return [package for name, package in self.packages.items() if not self.find(name)]

    def build(self) -> None:  # noqa: B027 - packages contain all that most of them need
        """Build what no package contains, once; raise ServerUnavailable if that fails."""

    @abstractmethod
    def version(self) -> str:
        """Return the installed version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One server of a run: its folder, ports, password, options and version."""

    folder: Path
    ports: tuple[int, ...]
    password: str
    durable: bool
    version: str

    @property
    def address(self) -> str:
        """Return the host and port on which it listens."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @property
    def data(self) -> Path:
        """Return the folder of its data."""
        return self.folder / "data"

    def write(self, name: str, text: str) -> Path:
        """Write a file that only the server's account can read."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        owner = self.folder.stat()
        if owner.st_uid != os.geteuid():
            os.chown(path, owner.st_uid, owner.st_gid)
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """The command line of a server, and additions to its minimal environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Server(Dependency):
    """A dependency that is started, listens on ports, and is stopped again."""

    account: ClassVar[str] = ""  # the account it runs under when this is run by root
    ports: ClassVar[int] = 1
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @abstractmethod
    def initialize(self, instance: Instance) -> None:
        """Create the data of a server that has never run."""

    @abstractmethod
    def configure(self, instance: Instance) -> Command:
        """Write the configuration, before every start; return the command."""

    @abstractmethod
    def is_ready(self, instance: Instance) -> bool:
        """Whether the server answers a request of its own protocol."""

    @abstractmethod
    def timba_variables(self, instance: Instance) -> dict[str, str]:
        """Return the environment variables that make Timba use it."""

    @abstractmethod
    def test_variables(self, instance: Instance) -> dict[str, str]:
        """Return the environment variables by which tests find it, whatever Timba uses."""

    def prepare(self, instance: Instance) -> None:
        """Create the data unless an earlier start did; partial data is replaced."""
        ready = instance.folder / _READY
        if ready.exists():
            return
        shutil.rmtree(instance.folder, ignore_errors=True)
        instance.folder.mkdir(mode=0o700)
        if credentials := credentials_of(self.account):
            os.chown(instance.folder, credentials["user"], credentials["group"])
            self._check_access(instance.folder)
        self.initialize(instance)
        ready.touch()

    def _check_access(self, folder: Path) -> None:
        try:
            run(["test", "-w", folder], cwd=Path("/"), account=self.account)
        except ServerUnavailable as error:
            raise ServerUnavailable(
                f"{self.title} runs as “{self.account}”, which cannot enter {folder}. "
                "Name a folder that every account may pass through in TIMBA_SERVICES_DIR."
            ) from error
