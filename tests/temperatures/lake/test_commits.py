"""A commit reads and writes a few manifests, however many the table has."""

from __future__ import annotations

import pytest
from pyiceberg.manifest import ManifestEntry, ManifestFile

from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from timba.accounts.models import User
from timba.events.leased_process import CycleResult
from timba.files.services import delete_file
from timba.temperatures.lake import commits, publishing
from timba.temperatures.lake.contents import iter_data_files
from timba.temperatures.lake.follower import Follower


def manifests(lake: Lake) -> dict[str, set[str]]:
    """Return the addresses of objects by manifest: none in the one that tells what was deleted."""
    table = lake.table
    snapshot = table.current_snapshot()
    assert snapshot is not None
    paths = [manifest.manifest_path for manifest in snapshot.manifests(table.io)]
    return {path: {each.file_path for each in iter_data_files(table, [path])} for path in paths}


def test_a_deletion_reads_and_replaces_the_one_manifest_with_its_entry(
    lake: Lake, owner: User, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BATCH_SIZE", 2)
    files = [settle(f"{n},2.5,2026-06-01T12:00:00Z\n", name=f"{n}.csv") for n in range(1, 7)]
    following = Follower()
    following.run_once()
    before = manifests(lake)
    assert sorted(map(len, before.values())) == [2, 2, 2]
    read: list[str] = []
    fetch = ManifestFile.fetch_manifest_entry

    def fetch_and_note(self: ManifestFile, *args: object, **options: object) -> list[ManifestEntry]:
        read.append(self.manifest_path)
        return fetch(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ManifestFile, "fetch_manifest_entry", fetch_and_note)
    delete_file(actor=owner, file=files[0])
    assert following.run_once() is CycleResult.MOVED
    following.close()
    monkeypatch.undo()
    after = manifests(lake)
    (replaced,) = before.keys() - after.keys()
    (new,) = (path for path in after.keys() - before.keys() if after[path])
    assert after[new] < before[replaced]
    assert set(read) == {replaced, new}
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def test_small_manifests_are_merged_into_full_ones(
    lake: Lake, owner: User, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "MAX_ENTRIES", 4)
    monkeypatch.setattr(commits, "MIN_TO_MERGE", 3)
    following = Follower()
    files = []
    for number in range(1, 14):
        files.append(settle(f"{number},2.5,2026-06-01T12:00:00Z\n", name=f"{number}.csv"))
        assert following.run_once() is CycleResult.MOVED
    # With every third commit, three of one entry each become one.
    assert sorted(map(len, manifests(lake).values())) == [1, 3, 3, 3, 3]
    for number in (0, 1, 2, 3):
        delete_file(actor=owner, file=files[number])
        assert following.run_once() is CycleResult.MOVED
    following.close()
    # Of the manifests without entries, which tell what was deleted, the last one is kept.
    assert sorted(map(len, manifests(lake).values()))[:2] == [0, 1]
    assert sum(map(len, manifests(lake).values())) == 9
    last = lake.summaries()[-1]
    assert (last["total-data-files"], last["total-records"]) == ("9", "9")
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def test_a_table_that_was_made_anew_is_indexed_anew(
    lake: Lake, owner: User, settle: Receive
) -> None:
    yard = settle("7,21.5,2026-06-01T12:00:00Z\n")
    following = Follower()
    following.run_once()
    lake.table.catalog.drop_table(("timba", "readings"))
    lake.close()
    following.close()
    assert following.run_once() is CycleResult.MOVED
    delete_file(actor=owner, file=yard)
    assert following.run_once() is CycleResult.MOVED
    following.close()
    assert Lake().statistics(owner.client.pk) == {}
