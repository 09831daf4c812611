"""Keeps what Timba stores from the other accounts of the machine: folders 0700, files 0600."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

# What a process makes is for its own account alone.
UMASK: Final = 0o077
_SQLITE_FILES: Final = ("", "-journal", "-shm", "-wal")
# File systems make it for themselves.
_FOREIGN: Final = "lost+found"


def private_paths(data_folder: Path, database: Mapping[str, Any]) -> list[Path]:
    """Return what is private: the data folder, and what it may have links to in its place."""
    paths = [data_folder, data_folder / "files"]
    if database["ENGINE"].endswith("sqlite"):
        paths += [Path(f"{database['NAME']}{ending}") for ending in _SQLITE_FILES]
    return paths


def make_private(path: Path) -> None:
    """Take every right to a file, or to a folder and all in it, from other accounts.

    A folder that is not Timba's alone is left as it is, and so is what cannot be changed:
    `is_open` tells. Links within a folder are not followed.
    """
    with contextlib.suppress(OSError):
        if not path.is_dir():
            _close(path)
        elif not _is_shared(path):
            _close(path)  # before all that is in it, which may take a while
            for entry in path.iterdir():
                _close_tree(entry)


def is_open(path: Path) -> bool:
    """Whether other accounts have rights to it; what is absent is not open."""
    try:
        return bool(path.stat().st_mode & UMASK)
    except OSError:
        return False


def _close_tree(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink():
            return
        if path.is_dir():
            if not is_open(path):
                return  # it was closed after all that is in it
            for entry in path.iterdir():
                _close_tree(entry)
        _close(path)


def _close(path: Path) -> None:
    if is_open(path):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)


def _is_shared(folder: Path) -> bool:
    """Whether others keep things in it, as in /tmp or /var/lib: it is not ours to close."""
    facts = folder.stat()
    if facts.st_mode & stat.S_ISVTX:
        return True
    owners = {_owner(entry) for entry in folder.iterdir() if entry.name != _FOREIGN}
    return not owners <= {facts.st_uid, None}


def _owner(path: Path) -> int | None:
    """Return its owner; None where it was removed meanwhile."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None
