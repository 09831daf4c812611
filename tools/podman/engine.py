"""podman with its own storage, networks and settings."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.servers.dependency import Dependency
from tools.servers.machine import ServerUnavailable, find_executable, find_version, is_root, run

ROOT: Final = Path(__file__).resolve().parents[2]
_RUN: Final = Path("/run/timba-containers")
# Without systemd, and with cgroups of version 1 too. A machine may forbid to raise the limits of
# processes, which podman does by default.
_CONTAINERS: Final = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[network]
network_backend = "netavark"
network_config_dir = "{storage}/networks"
"""
_STORAGE: Final = """\
[storage]
driver = "overlay"
graphroot = "{storage}"
runroot = "{run}"
"""


class Podman(Dependency):
    """podman with runc and its network programs, for root."""

    name = "podman"
    title = "podman"
    packages = {
        "podman": "podman",
        "runc": "runc",
        "netavark": "netavark",
        "aardvark-dns": "aardvark-dns",
        "iptables": "iptables",
        "debootstrap": "debootstrap",
    }

    def find(self, executable: str) -> str | None:
        """Look in podman's folder too, where Debian installs its network programs."""
        own = Path("/usr/lib/podman") / executable
        return str(own) if own.exists() else find_executable(executable)

    def build(self) -> None:
        if not is_root():
            raise ServerUnavailable("Containers are run by root: run this as root.")

    def version(self) -> str:
        return find_version(run((self.path("podman"), "--version")))


@contextmanager
def own_storage() -> Iterator[None]:
    """Make podman, and podman-compose, use their own settings and storage in this process.

    Another process that wants to do the same waits. In the end everything but the images is gone.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = home / "timba" / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    names = {"storage": folder / "storage", "run": _RUN}
    for variable, template in (
        ("CONTAINERS_CONF", _CONTAINERS),
        ("CONTAINERS_STORAGE_CONF", _STORAGE),
    ):
        path = folder / f"{variable.lower()}.toml"
        path.write_text(template.format_map(names))
        os.environ[variable] = str(path)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_everything()  # of a run that was killed
        try:
            yield
        finally:
            _remove_everything()


def podman(*arguments: str | Path, stdin: int | None = None) -> None:
    """Run podman with its output shown; raise ServerUnavailable if it fails."""
    command = ("podman", *map(str, arguments))
    if subprocess.run(command, stdin=stdin, check=False).returncode:
        raise ServerUnavailable(f"“{' '.join(command[:2])}” failed.")


def has_image(name: str, *, label: str = "") -> bool:
    """Whether an image with this name, and this label if one is given, is in the storage."""
    filters = (f"reference={name}", *([f"label={label}"] if label else []))
    command = ("podman", "images", "--quiet", *(f"--filter={each}" for each in filters))
    return bool(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.strip())


def _remove_everything() -> None:
    """Remove all containers, networks and volumes of this storage, and old unnamed images."""
    commands: Sequence[Sequence[str]] = (
        ("rm", "--all", "--force", "--time", "0"),
        ("network", "prune", "--force"),
        ("volume", "prune", "--force"),
        ("image", "prune", "--force", "--filter=until=24h"),
    )
    for command in commands:
        subprocess.run(("podman", *command), capture_output=True, check=False)
