"""Caches what takes minutes to build, outside the source tree. A build is complete or absent."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, filled by `build` on first use.

    The build happens in a temporary folder and is put in place by one rename, so that no process
    sees a partial result. Concurrent callers wait for the first builder.
    """
    root = _root()
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


def is_cached(name: str) -> bool:
    """Whether the folder `name` has been built."""
    return (_root() / name).is_dir()


def _root() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "timba" / "servers"
