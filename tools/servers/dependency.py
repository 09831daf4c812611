"""What the tests need on the machine: found there, else installed or built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tools.servers.machine import ServerUnavailable, find_executable, find_version, run
from tools.servers.packages import disable_service, install_packages


class Dependency(ABC):
    """A program that tests need, from a Debian package or from the build cache."""

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

    def build(self) -> None:  # noqa: B027 - packages contain all that most of them need
        """Build what no package contains, once; raise ServerUnavailable if that fails."""

    @abstractmethod
    def version(self) -> str:
        """Return the installed version."""


class Chromium(Dependency):
    """The browser that the tests drive."""

    name = "chromium"
    title = "Chromium"
    packages = {"chromium": "chromium"}

    def version(self) -> str:
        return find_version(run((self.path("chromium"), "--version")))


def ensure_installed(dependencies: Sequence[Dependency]) -> dict[str, str]:
    """Install and build what is missing; return the reason for each dependency that fails."""
    missing = {
        dependency.name: {
            package for name, package in dependency.packages.items() if not dependency.find(name)
        }
        for dependency in dependencies
    }
    packages = sorted({package for names in missing.values() for package in names})
    failures = {}
    if packages:
        print(f"Not on this machine yet: {', '.join(packages)}.", flush=True)
        failures = install_packages(packages)
    reasons: dict[str, str] = {}
    for dependency in dependencies:
        failed = [failures[package] for package in missing[dependency.name] & failures.keys()]
        if failed:
            reason = f"{dependency.title} is not on this machine. {' '.join(sorted(failed))}"
            reasons[dependency.name] = reason
            continue
        if missing[dependency.name] and dependency.service:
            disable_service(dependency.service)
        try:
            dependency.build()
        except ServerUnavailable as error:
            reasons[dependency.name] = str(error)
    return reasons
