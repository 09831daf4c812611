"""Which objects the table has: an index of its current snapshot, by client and file.

Reading the entries of all objects takes a while, so the index is kept in memory, and follows what
this process commits. The entry of one object is read again when it is to be deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table
from pyiceberg.types import LongType, StringType

from timba.temperatures.lake.catalog import FILE_ID


class Contents:
    """The addresses of the objects in a table's current snapshot."""

    def __init__(self, table: Table) -> None:
        self._clients: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for data_file in iter_data_files(table):
            self.add(data_file)

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

    def add(self, data_file: DataFile) -> None:
        """Note an object that is in the table now."""
        self._clients[client_of(data_file)][file_of(data_file)].add(data_file.file_path)

    def remove(self, data_file: DataFile) -> None:
        """Note an object that is no longer in the table."""
        files, file_id = self._clients[client_of(data_file)], file_of(data_file)
        files[file_id].discard(data_file.file_path)
        if not files[file_id]:
            del files[file_id]


def iter_data_files(table: Table, client_id: int | None = None) -> Iterator[DataFile]:
    """Yield the entries of the objects in the current snapshot: all, or those of a client."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    for manifest in snapshot.manifests(table.io):
        if client_id is not None and not _may_have(manifest, client_id):
            continue
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            if client_id is None or client_of(entry.data_file) == client_id:
                yield entry.data_file


def find_data_files(table: Table, client_id: int, addresses: Collection[str]) -> list[DataFile]:
    """Return the entries of a client's objects with these addresses."""
    if not addresses:
        return []
    files = iter_data_files(table, client_id)
    return [data_file for data_file in files if data_file.file_path in addresses]


def client_of(data_file: DataFile) -> int:
    """Return the client of an object's readings."""
    client_id: int = data_file.partition[0]
    return client_id


def file_of(data_file: DataFile) -> str:
    """Return the file of an object's readings: the limits of that column are the same."""
    return str(from_bytes(StringType(), data_file.lower_bounds[FILE_ID]))


def _may_have(manifest: ManifestFile, client_id: int) -> bool:
    if not manifest.partitions:
        return True
    lowest, highest = manifest.partitions[0].lower_bound, manifest.partitions[0].upper_bound
    if lowest is None or highest is None:
        return True
    first, last = (int(from_bytes(LongType(), limit)) for limit in (lowest, highest))
    return first <= client_id <= last
