"""Which objects the table has: an index of its current snapshot, by client and file.

Reading the entries of all objects takes a while, so the index is kept in memory. After a commit,
only the manifests are read that it has written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table
from pyiceberg.types import StringType

from timba.temperatures.lake.catalog import FILE_ID
from timba.temperatures.lake.commits import live_entries


class _Entry(NamedTuple):
    client_id: int
    file_id: str
    address: str


class Contents:
    """The addresses of the objects in a table's current snapshot, and of their manifests."""

    def __init__(self) -> None:
        self._manifests: dict[str, list[_Entry]] = {}
        self._clients: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._holders: dict[str, str] = {}

    @property
    def clients(self) -> set[int]:
        """The clients with objects in the table."""
        return {client_id for client_id, files in self._clients.items() if files}

    def files(self, client_id: int) -> set[str]:
        """Return the ids of a client's files with objects in the table."""
        return set(self._clients[client_id])

    def objects(self, client_id: int, file_id: str) -> set[str]:
        """Return the addresses of a file's objects: one, or none."""
        return set(self._clients[client_id].get(file_id, ()))

    def holders(self, addresses: Collection[str]) -> set[str]:
        """Return the addresses of the manifests with the entries of these objects."""
        return {self._holders[address] for address in addresses}

    def follow(self, table: Table) -> None:
        """Index the table's current snapshot; raises what the store of metadata raises."""
        current = {found.manifest_path: found for found in _manifests(table)}
        # All are read before the index changes, so that an outage leaves it as it was.
        new = {
            path: [
                _Entry(client_of(found), file_of(found), found.file_path)
                for found in _data_files(table, manifest)
            ]
            for path, manifest in current.items()
            if path not in self._manifests
        }
        for path in self._manifests.keys() - current.keys():
            for entry in self._manifests.pop(path):
                self._remove(entry)
        for path, entries in new.items():
            self._manifests[path] = entries
            for entry in entries:
                self._clients[entry.client_id][entry.file_id].add(entry.address)
                self._holders[entry.address] = path

    def _remove(self, entry: _Entry) -> None:
        files = self._clients[entry.client_id]
        files[entry.file_id].discard(entry.address)
        if not files[entry.file_id]:
            del files[entry.file_id]
        del self._holders[entry.address]


def iter_data_files(table: Table, holders: Collection[str] | None = None) -> Iterator[DataFile]:
    """Yield the entries of the objects in the current snapshot: all, or those of some manifests."""
    for manifest in _manifests(table):
        if holders is None or manifest.manifest_path in holders:
            yield from _data_files(table, manifest)


def _manifests(table: Table) -> list[ManifestFile]:
    """Return the manifests of the current snapshot that have entries."""
    snapshot = table.current_snapshot()
    manifests = () if snapshot is None else snapshot.manifests(table.io)
    return [manifest for manifest in manifests if live_entries(manifest)]


def _data_files(table: Table, manifest: ManifestFile) -> Iterator[DataFile]:
    for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
        yield entry.data_file


def client_of(data_file: DataFile) -> int:
    """Return the client of an object's readings."""
    client_id: int = data_file.partition[0]
    return client_id


def file_of(data_file: DataFile) -> str:
    """Return the file of an object's readings: the limits of that column are the same."""
    return str(from_bytes(StringType(), data_file.lower_bounds[FILE_ID]))
