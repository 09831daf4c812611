"""One commit of entries, which takes about as long in a large table as in a small one.

PyIceberg's own updates read the manifests of all objects to find those to delete, and copy the
table's metadata for each look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from typing import Final

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update import TableUpdate
from pyiceberg.table.update.snapshot import _OverwriteFiles

# Entries of a manifest: one with an entry to delete is written anew.
MAX_ENTRIES: Final = 100
# Manifests that are less than half full are merged when there are so many of them.
MIN_TO_MERGE: Final = 16


class LakeTransaction(Transaction):
    """A transaction that computes the table's metadata once for each change of them."""

    _computed: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        if not self._updates:
            return self._table.metadata
        if self._computed is None or self._computed[0] is not self._updates:
            self._computed = self._updates, super().table_metadata
        return self._computed[1]


def commit_entries(
    table: Table,
    *,
    added: Sequence[DataFile],
    deleted: Sequence[DataFile],
    holders: Collection[str],
    summary: Mapping[str, str],
    properties: Mapping[str, str | None],
) -> None:
    """Commit one snapshot with `summary`, and set properties, or remove those that are None.

    `holders` are the addresses of the manifests with the entries to delete. Raises
    CommitFailedException where somebody else has committed since the table was loaded.
    """
    with LakeTransaction(table) as transaction:
        with _EntryUpdate(transaction, table.io, holders=holders, summary=summary) as update:
            for data_file in deleted:
                update.delete_data_file(data_file)
            for data_file in added:
                update.append_data_file(data_file)
        removed = [name for name, value in properties.items() if value is None]
        if removed:
            transaction.remove_properties(*removed)
        if len(removed) < len(properties):
            transaction.set_properties(
                {name: value for name, value in properties.items() if value is not None}
            )


def live_entries(manifest: ManifestFile) -> int:
    """Return how many entries of a manifest are not deleted."""
    return (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)


class _EntryUpdate(_OverwriteFiles):
    """Reads only the manifests with entries to delete, and merges small ones."""

    def __init__(
        self,
        transaction: Transaction,
        io: FileIO,
        *,
        holders: Collection[str],
        summary: Mapping[str, str],
    ) -> None:
        super().__init__(
            operation=Operation.OVERWRITE if holders else Operation.APPEND,
            transaction=transaction,
            io=io,
            snapshot_properties=dict(summary),
        )
        self._holders = frozenset(holders)

    def _build_manifest_evaluator(self, spec_id: int) -> Callable[[ManifestFile], bool]:
        del spec_id  # the table has one partition spec
        return lambda manifest: manifest.manifest_path in self._holders

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        new = [found for found in manifests if found.added_snapshot_id == self.snapshot_id]
        old = [
            found
            for found in manifests
            if found.added_snapshot_id != self.snapshot_id and live_entries(found)
        ]
        small = [found for found in old if live_entries(found) < MAX_ENTRIES / 2]
        if len(small) < MIN_TO_MERGE:
            return new + old
        merged = _that_fit(sorted(small, key=live_entries))
        return [*new, self._merge(merged), *(found for found in old if found not in merged)]

    def _merge(self, manifests: Sequence[ManifestFile]) -> ManifestFile:
        with self.new_manifest_writer(spec=self.spec(manifests[0].partition_spec_id)) as writer:
            for manifest in manifests:
                for entry in self.fetch_manifest_entry(manifest):
                    writer.existing(entry)
        return writer.to_manifest_file()


def _that_fit(manifests: Sequence[ManifestFile]) -> list[ManifestFile]:
    """Return the first ones, whose entries are few enough for one manifest."""
    totals = accumulate(map(live_entries, manifests))
    return [found for found, total in zip(manifests, totals, strict=True) if total <= MAX_ENTRIES]
