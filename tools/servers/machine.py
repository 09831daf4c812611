"""Finds programs on this machine; adds Debian packages to it where that may be done, as root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

# Servers live where the search path of people who are not root does not lead.
_SEARCH_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
_APT: Final = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
_INSTALL: Final = (*_APT, "install", "--yes", "--no-install-recommends")


class CannotBeHad(Exception):
    """A server that cannot be had on this machine; the message says why, and what to do."""


class Credentials(TypedDict, total=False):
    """Whom a process runs as, in the words of `subprocess`."""

    user: int
    group: int
    extra_groups: list[int]


def find(program: str) -> str | None:
    """Return where a program is, if it is on this machine."""
    return shutil.which(program, path=_SEARCH_PATH)


def is_root() -> bool:
    """Tell whether packages may be added, and servers must be given to users of their own."""
    return os.geteuid() == 0


def credentials_of(account: str) -> Credentials:
    """Return what makes a process run as `account`: nothing where that is not ours to choose."""
    if not (account and is_root()):
        return {}
    try:
        entry = pwd.getpwnam(account)
    except KeyError as missing:
        raise CannotBeHad(
            f"There is no user “{account}” here, and this server is not run as root. "
            "Its Debian package makes that user."
        ) from missing
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    account: str = "",
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a short program to its end and return what it said; raise CannotBeHad if it failed."""
    done = subprocess.run(
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
    if done.returncode:
        name = Path(command[0]).name
        raise CannotBeHad(f"{name} failed: {last_words(done.stdout)}")
    return done.stdout


def version_in(words: str) -> str:
    """Return the first version number that a program said."""
    found = re.search(r"\d+(\.\d+)+", words)
    return found.group() if found else "of unknown version"


def last_words(text: str) -> str:
    """Return the last line that says something, for a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def install(packages: Sequence[str]) -> dict[str, str]:
    """Install Debian packages; return why for each one that could not be.

    All at once is fastest. When that fails the lists may be old or absent; when it fails again,
    each gets a try of its own, so that one bad package does not spoil the rest.
    """
    if not (is_root() and find("apt-get")):
        return {package: f"Install it as root: apt-get install {package}" for package in packages}
    if not _apt(*_INSTALL, *packages):
        return {}
    _apt(*_APT, "update")
    if not _apt(*_INSTALL, *packages):
        return {}
    reasons = {package: _apt(*_INSTALL, package) for package in packages}
    return {
        package: f"apt-get could not install {package}: {reason}"
        for package, reason in reasons.items()
        if reason
    }


def retire(service: str) -> None:
    """Stop the system's own server that a package has just started; it is not the one wanted."""
    for command in (("service", service, "stop"), ("update-rc.d", service, "disable")):
        subprocess.run(command, capture_output=True, check=False)


def _apt(*command: str) -> str:
    """Run apt-get; return why it failed, or nothing."""
    done = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return last_words(done.stderr or done.stdout) if done.returncode else ""
