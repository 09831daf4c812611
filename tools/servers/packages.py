"""Installs Debian packages where root runs this, and caches what takes minutes to build."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools.servers.machine import find_executable, is_root, last_line

_APT: Final = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
_INSTALL: Final = (*_APT, "install", "--yes", "--no-install-recommends")


def install_packages(packages: Sequence[str]) -> dict[str, str]:
    """Install Debian packages; return the reason for each one that fails.

    Installing all at once is fastest. If that fails, the package lists may be old or absent, and
    each package is tried alone, so that one bad package does not affect the rest.
    """
    if not (is_root() and find_executable("apt-get")):
        return {package: f"Install it as root: apt-get install {package}" for package in packages}
    if not _apt(*_INSTALL, *packages):
        return {}
    _apt(*_APT, "update")
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


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, filled by `build` on first use.

    The build happens in a temporary folder and is put in place by one rename, so that no process
    sees a partial result. Concurrent callers wait for the first builder.
    """
    root = _cache()
    folder = root / name
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        for orphan in root.glob(f".{name}-*"):  # of a builder that was killed
            shutil.rmtree(orphan)
        draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        try:
            build(draft)
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "timba" / "servers"


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
