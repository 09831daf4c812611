"""Restricts stored data to Timba's own account: folders 0700, files 0600."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

# New files are accessible to their owner only.
UMASK: Final = 0o077
_SQLITE_FILES: Final = ("", "-journal", "-shm", "-wal")
# Created by file systems, and owned by root.
_LOST_AND_FOUND: Final = "lost+found"


def private_paths(data_folder: Path, database: Mapping[str, Any]) -> list[Path]:
    """Return the private paths: the data folder, and files and folders that it may link to."""
    paths = [data_folder, data_folder / "files"]
    if database["ENGINE"].endswith("sqlite"):
        paths += [Path(f"{database['NAME']}{suffix}") for suffix in _SQLITE_FILES]
    return paths


def make_private(path: Path) -> None:
    """Remove the permissions of other accounts from a file, or from a folder and its contents.

    A folder that other accounts use too is left unchanged, and so is a path whose mode cannot be
    changed; `is_accessible_to_others` reports both. Links within a folder are not followed.
    """
    with contextlib.suppress(OSError):
        if not path.is_dir():
            _restrict(path)
        elif not _is_shared(path):
            _restrict(path)  # before its contents, which may take a while
            for entry in path.iterdir():
                _restrict_tree(entry)


def is_accessible_to_others(path: Path) -> bool:
    """Whether other accounts have permissions for an existing path."""
    try:
        return bool(path.stat().st_mode & UMASK)
    except OSError:
        return False


def _restrict_tree(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink():
            return
        if path.is_dir():
            if not is_accessible_to_others(path):
                return  # a folder is restricted after its contents
            for entry in path.iterdir():
                _restrict_tree(entry)
        _restrict(path)


def _restrict(path: Path) -> None:
    if is_accessible_to_others(path):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)


def _is_shared(folder: Path) -> bool:
    """Whether other accounts own files in it, as in /tmp or /var/lib."""
    info = folder.stat()
    if info.st_mode & stat.S_ISVTX:
        return True
    owners = {_owner(entry) for entry in folder.iterdir() if entry.name != _LOST_AND_FOUND}
    return not owners <= {info.st_uid, None}


def _owner(path: Path) -> int | None:
    """Return the uid of its owner; None if it was removed meanwhile."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None
