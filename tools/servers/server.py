"""What a server has to say about itself, so that all of them are had, started and ended alike."""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from tools.servers.machine import CannotBeHad, credentials_of, find, run
from tools.servers.ports import LOOPBACK

_READY: Final = "prepared"


class Program(ABC):
    """A program that tests need on the machine, from a Debian package or from our cache."""

    name: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[Mapping[str, str]]  # the Debian package of each executable
    service: ClassVar[str] = ""  # the system's own server that the package starts

    def find(self, executable: str) -> str | None:
        """Return where one of its executables is, if it is here."""
        return find(executable)

    def path(self, executable: str) -> str:
        """Return where one of its executables is; raise CannotBeHad where it is not."""
        path = self.find(executable)
        if path is None:
            raise CannotBeHad(f"{self.title} is not on this machine: there is no {executable}.")
        return path

    def missing_packages(self) -> list[str]:
        """Return the Debian packages that it still needs."""
        return [package for name, package in self.packages.items() if not self.find(name)]

    def build(self) -> None:  # noqa: B027 - for most a package brings it all
        """Make what no package brings, once; raise CannotBeHad where that fails."""

    @abstractmethod
    def version(self) -> str:
        """Return the version that is here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One server of a run: where it keeps what it has, where it listens, who may come in."""

    folder: Path
    ports: tuple[int, ...]
    password: str
    durable: bool
    version: str

    @property
    def address(self) -> str:
        """Return where it listens."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @property
    def data(self) -> Path:
        """Return the folder of its data."""
        return self.folder / "data"

    def write(self, name: str, text: str) -> Path:
        """Write a file that the server, and no other user, can read."""
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
    """What a server's process runs, and what its environment adds to the bare minimum."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Server(Program):
    """A program that is started, listens, and is ended again."""

    account: ClassVar[str] = ""  # whom it runs as when we are root
    ports: ClassVar[int] = 1
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @abstractmethod
    def make_data(self, instance: Instance) -> None:
        """Fill the folder of a server that never ran."""

    @abstractmethod
    def configure(self, instance: Instance) -> Command:
        """Write what it reads at every start; return what starts it."""

    @abstractmethod
    def answers(self, instance: Instance) -> bool:
        """Ask it something, in its own language: it serves only when it answers."""

    @abstractmethod
    def timba_variables(self, instance: Instance) -> dict[str, str]:
        """Return the environment that makes Timba use it."""

    @abstractmethod
    def test_variables(self, instance: Instance) -> dict[str, str]:
        """Return the environment that leads tests to it, whatever Timba uses."""

    def prepare(self, instance: Instance) -> None:
        """Make the data, unless an earlier start did; what it left half-done is made anew."""
        ready = instance.folder / _READY
        if ready.exists():
            return
        shutil.rmtree(instance.folder, ignore_errors=True)
        instance.folder.mkdir(mode=0o700)
        if credentials := credentials_of(self.account):
            os.chown(instance.folder, credentials["user"], credentials["group"])
            self._check_way_to(instance.folder)
        self.make_data(instance)
        ready.touch()

    def _check_way_to(self, folder: Path) -> None:
        try:
            run(["test", "-w", folder], cwd=Path("/"), account=self.account)
        except CannotBeHad as barred:
            raise CannotBeHad(
                f"{self.title} runs as “{self.account}”, who cannot enter {folder}. "
                "Name a folder that everyone may pass through in TIMBA_SERVICES_DIR."
            ) from barred
