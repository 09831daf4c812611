"""Finds and runs programs on this machine, and installs Debian packages where root runs this."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

# Debian installs servers into folders that are not in the search path of ordinary users.
_SEARCH_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
_APT: Final = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
_INSTALL: Final = (*_APT, "install", "--yes", "--no-install-recommends")


class ServerUnavailable(Exception):
    """A server cannot be used on this machine; the message says why, and what to do."""


class Credentials(TypedDict, total=False):
    """The arguments of `subprocess` for the account of a process."""

    user: int
    group: int
    extra_groups: list[int]


def find_executable(name: str) -> str | None:
    """Return the path of an executable, or None."""
    return shutil.which(name, path=_SEARCH_PATH)


def is_root() -> bool:
    """Whether packages can be installed and servers can run under their own accounts."""
    return os.geteuid() == 0


def credentials_of(account: str) -> Credentials:
    """Return what makes a process run as `account`; empty unless this process is root."""
    if not (account and is_root()):
        return {}
    try:
        entry = pwd.getpwnam(account)
    except KeyError as error:
        raise ServerUnavailable(
            f"There is no user “{account}” here, and this server is not run as root. "
            "Its Debian package creates that user."
        ) from error
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    account: str = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a short program to its end and return its output; raise ServerUnavailable if it fails."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **credentials_of(account),
    )
    if result.returncode:
        name = Path(command[0]).name
        raise ServerUnavailable(f"{name} failed: {last_line(result.stdout)}")
    return result.stdout


def find_version(output: str) -> str:
    """Return the first version number in a program's output."""
    match = re.search(r"\d+(\.\d+)+", output)
    return match.group() if match else "of unknown version"


def last_line(output: str) -> str:
    """Return the last line that is not blank, at most 300 characters of it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"


def install(packages: Sequence[str]) -> dict[str, str]:
    """Install Debian packages; return the reason for each one that fails.

    Installing all at once is fastest. If that fails, the package lists may be old or absent; if it
    fails again, each package is tried alone, so that one bad package does not affect the rest.
    """
    if not (is_root() and find_executable("apt-get")):
        return {package: f"Install it as root: apt-get install {package}" for package in packages}
    if not _apt(*_INSTALL, *packages):
        return {}
    _apt(*_APT, "update")
    if not _apt(*_INSTALL, *packages):
        return {}
    errors = {package: _apt(*_INSTALL, package) for package in packages}
    return {
        package: f"apt-get could not install {package}: {error}"
        for package, error in errors.items()
        if error
    }


def disable_service(service: str) -> None:
    """Stop and disable the system-wide server that a package has just started."""
    for command in (("service", service, "stop"), ("update-rc.d", service, "disable")):
        subprocess.run(command, capture_output=True, check=False)


def _apt(*command: str) -> str:
    """Run apt-get; return its last error line if it fails, else an empty string."""
    result = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return last_line(result.stderr or result.stdout) if result.returncode else ""
