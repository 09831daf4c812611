"""Keeps the table's metadata small: expires old snapshots, and removes files that none uses.

Data files are never touched: they are Timba's objects, which are erased with their files.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from pyarrow.fs import FileSelector
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

# A query reads its snapshot to the end within a day. In a quiet lake that snapshot may be much
# older, so the day begins when another one replaces it.
MAX_AGE: Final = timedelta(days=1)
MAX_SNAPSHOTS: Final = 200
_log = structlog.get_logger(__name__)


def is_due(table: Table) -> bool:
    """Return whether a snapshot should have expired an hour ago, or there are too many."""
    by_age = _snapshots_by_age(table)
    if len(by_age) < 2:
        return False
    limit = _milliseconds(datetime.now(UTC) - MAX_AGE - timedelta(hours=1))
    return len(by_age) > MAX_SNAPSHOTS or by_age[1].timestamp_ms < limit


def expire_snapshots(table: Table) -> None:
    """Expire old snapshots, then remove files of metadata that no snapshot uses, a day old."""
    limit = datetime.now(UTC) - MAX_AGE
    by_age = _snapshots_by_age(table)
    surplus = len(by_age) - MAX_SNAPSHOTS // 2 if len(by_age) > MAX_SNAPSHOTS else 0
    expired = [
        snapshot.snapshot_id
        for number, (snapshot, successor) in enumerate(pairwise(by_age))
        if successor.timestamp_ms < _milliseconds(limit) or number < surplus
    ]
    if expired:
        table.maintenance.expire_snapshots().by_ids(expired).commit()
    removed = 0
    used = set(_used_files(table))
    for name, file_system, path in _old_files(table, limit):
        if name not in used:
            file_system.delete_file(path)
            removed += 1
    _log.info("snapshots of the lake have expired", snapshots=len(expired), files=removed)


def _snapshots_by_age(table: Table) -> list[Snapshot]:
    return sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.timestamp_ms)


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
