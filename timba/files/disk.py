"""Refuses uploads before a disk is full, so that accepted files can still be processed.

Only disks of this machine that uploads fill: that of the object store where it is a folder, and
that of an SQLite database. What is in S3 or in another database is those servers' own concern.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from timba.errors import DiskFull
from timba.files.storage import LocalStorage

TOO_LARGE_FOR_DISK: Final = "The server's disk has no space for a file of this size."
# Unless TIMBA_MIN_FREE_BYTES is set, this share of a disk is kept free, at most so many bytes.
_KEPT_FREE_SHARE: Final = 20
_MAX_KEPT_FREE_BYTES: Final = 1024**3
# With less, a worker cannot even record a result, so it does not begin.
_WORKING_BYTES: Final = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """The space of a disk, in bytes: free for this account, and to be kept free."""

    free_bytes: int
    min_free_bytes: int


def check_disk_space(size: int = 0, *, folder: Path | None = None) -> None:
    """Raise DiskFull if `size` more bytes would leave less than TIMBA_MIN_FREE_BYTES free.

    With `folder`, also on the disk of this folder.
    """
    also = {} if folder is None else {"folder": _disk_of(folder)}
    for disk in (_filled_disks() | also).values():
        spare = disk.free_bytes - disk.min_free_bytes
        if spare < 0:
            raise DiskFull
        if spare < size:
            raise DiskFull(TOO_LARGE_FOR_DISK)


def has_space_to_work() -> bool:
    """Whether this machine's disks have space for a worker's copies and results."""
    return all(disk.free_bytes >= _WORKING_BYTES for disk in disks().values())


def disks() -> dict[str, Disk]:
    """Return the disks of this machine by what Timba stores there; one may occur several times."""
    return {**_filled_disks(), "data": _disk_of(settings.TIMBA_DATA_DIR)}


def _filled_disks() -> dict[str, Disk]:
    """Return the disks that uploads fill."""
    folders = {}
    if isinstance(default_storage, LocalStorage):
        folders["files"] = default_storage.location
    if connection.vendor == "sqlite":
        folders["database"] = Path(connection.settings_dict["NAME"]).parent
    return {name: _disk_of(folder) for name, folder in folders.items()}


def _disk_of(folder: Path) -> Disk:
    try:
        space = os.statvfs(folder)
    except FileNotFoundError:  # the store's folder is created by its first object
        return _disk_of(folder.parent)
    kept_free = settings.TIMBA_MIN_FREE_BYTES
    if kept_free is None:
        total = space.f_blocks * space.f_frsize
        kept_free = min(total // _KEPT_FREE_SHARE, _MAX_KEPT_FREE_BYTES)
    return Disk(free_bytes=space.f_bavail * space.f_frsize, min_free_bytes=kept_free)
