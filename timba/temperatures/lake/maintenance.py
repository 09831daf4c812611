"""Keeps the table's metadata small: ends old snapshots, and erases what no snapshot uses.

Data files are never touched: they are Timba's objects, which are erased with their files.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from pyarrow.fs import FileSelector
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

# A query reads its snapshot to the end within a day.
MAX_AGE: Final = timedelta(days=1)
MAX_SNAPSHOTS: Final = 200
_log = structlog.get_logger(__name__)


def is_due(table: Table) -> bool:
    """Return whether the oldest snapshot has passed its age for an hour, or there are too many."""
    snapshots = table.metadata.snapshots
    if len(snapshots) < 2:
        return False
    limit = _milliseconds(datetime.now(UTC) - MAX_AGE - timedelta(hours=1))
    oldest = min(snapshot.timestamp_ms for snapshot in snapshots)
    return len(snapshots) > MAX_SNAPSHOTS or oldest < limit


def tidy(table: Table) -> None:
    """End old snapshots, then erase the files of metadata that have had no use for a day."""
    limit = datetime.now(UTC) - MAX_AGE
    by_age = sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.timestamp_ms)
    expired = [
        snapshot.snapshot_id
        for number, snapshot in enumerate(by_age[:-1])
        if snapshot.timestamp_ms < _milliseconds(limit) or number < len(by_age) - MAX_SNAPSHOTS // 2
    ]
    if expired:
        table.maintenance.expire_snapshots().by_ids(expired).commit()
    erased = 0
    used = set(_used_files(table))
    for name, file_system, path in _old_files(table, limit):
        if name not in used:
            file_system.delete_file(path)
            erased += 1
    _log.info("old metadata of the lake was erased", snapshots=len(expired), files=erased)


def _used_files(table: Table) -> Iterator[str]:
    """Yield the names of the files of metadata that the table refers to."""
    yield _name(table.metadata_location)
    for entry in table.metadata.metadata_log:
        yield _name(entry.metadata_file)
    manifests: set[str] = set()
    for snapshot in table.metadata.snapshots:
        yield _name(snapshot.manifest_list)
        manifests.update(manifest.manifest_path for manifest in snapshot.manifests(table.io))
    yield from map(_name, manifests)


def _old_files(table: Table, limit: datetime) -> Iterator[tuple[str, Any, str]]:
    """Yield the name, the file system and the path of each file of metadata before `limit`."""
    assert isinstance(table.io, PyArrowFileIO)  # noqa: S101 - see catalog
    folder = urlsplit(f"{table.location()}/metadata")
    file_system = table.io.fs_by_scheme(folder.scheme, folder.netloc)
    for found in file_system.get_file_info(FileSelector(f"{folder.netloc}{folder.path}")):
        if found.is_file and found.mtime < limit:
            yield found.base_name, file_system, found.path


def _name(address: str) -> str:
    return address.rsplit("/", 1)[-1]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
