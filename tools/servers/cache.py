"""Keeps what takes minutes to build, outside the tree: built once, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache; where there is none yet, let `build` fill it.

    It is built under another name and put in place by one rename, so that nobody ever sees half
    of it. Whoever comes meanwhile waits for the builder.
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
        for left_behind in root.glob(f".{name}-*"):  # by a builder that was killed
            shutil.rmtree(left_behind)
        draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        try:
            build(draft)
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def is_cached(name: str) -> bool:
    """Tell whether the folder `name` was built already."""
    return (_root() / name).is_dir()


def _root() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "timba" / "servers"
