"""Metadata stays small, and no object is ever erased with it."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pyiceberg.table import Table

from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from timba.accounts.models import User
from timba.events.leased_process import CycleResult
from timba.files.services import delete_file
from timba.files.storage import store
from timba.temperatures.lake import maintenance
from timba.temperatures.lake.follower import Follower


def upload(settle: Receive, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        settle(f"{number + 1},21.5,2026-06-01T12:00:00Z\n", name=f"{number}.csv")


def let_hours_pass(table: Table, hours: int) -> None:
    """Make the snapshots and the files of metadata older."""
    current = Path(table.metadata_location.removeprefix("file://"))
    past = timedelta(hours=hours)
    current.write_text(
        re.sub(
            r'(?<="timestamp-ms":)\d+',
            lambda moment: str(int(moment[0]) - int(past.total_seconds() * 1000)),
            current.read_text(),
        )
    )
    for path in current.parent.iterdir():
        moment = path.stat().st_mtime - past.total_seconds()
        os.utime(path, (moment, moment))


def metadata(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "lake/readings/metadata").iterdir()}


def test_old_snapshots_expire_and_files_that_they_alone_use_are_removed(
    lake: Lake, owner: User, settle: Receive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = settle("1,21.5,2026-06-01T12:00:00Z\n")
    lake.catch_up()
    delete_file(actor=owner, file=file)
    upload(settle, 2, first=1)
    lake.catch_up()
    (tmp_path / "lake/readings/metadata/of-a-crash-m0.avro").touch()
    objects = {found.key for found in store().list_objects()}
    table = lake.table
    maintenance.expire_snapshots(table)
    assert len(lake.summaries()) == 2
    before = metadata(tmp_path)
    monkeypatch.setattr(maintenance, "MAX_AGE", timedelta(0))
    maintenance.expire_snapshots(table)
    after = metadata(tmp_path)
    assert len(lake.summaries()) == 1
    assert after - before == {table.metadata_location.rsplit("/", 1)[-1]}
    assert "of-a-crash-m0.avro" not in after
    (snapshot,) = table.metadata.snapshots
    used = {manifest.manifest_path for manifest in snapshot.manifests(table.io)}
    used.add(snapshot.manifest_list)
    assert {name for name in after if name.endswith(".avro")} == {
        address.rsplit("/", 1)[-1] for address in used
    }
    assert {found.key for found in store().list_objects()} == objects
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def test_a_snapshot_expires_a_day_after_it_was_replaced(
    lake: Lake, settle: Receive, tmp_path: Path
) -> None:
    """A query may have begun to read the last snapshot just before the next one."""
    upload(settle, 1)
    lake.catch_up()
    (former,) = lake.table.metadata.snapshots
    let_hours_pass(lake.table, 30)
    upload(settle, 1, first=1)
    lake.catch_up()
    maintenance.expire_snapshots(lake.table)
    assert lake.table.scan(snapshot_id=former.snapshot_id).to_arrow().num_rows == 1
    let_hours_pass(lake.table, 30)
    upload(settle, 1, first=2)
    lake.catch_up()
    assert len(lake.summaries()) == 2
    assert lake.table.snapshot_by_id(former.snapshot_id) is None
    assert former.manifest_list.rsplit("/", 1)[-1] not in metadata(tmp_path)


def test_a_follower_keeps_snapshots_and_manifests_few(
    lake: Lake, owner: User, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "MAX_SNAPSHOTS", 8)
    following = Follower()
    for number in range(40):
        upload(settle, 1, first=number)
        assert following.run_once() is CycleResult.MOVED
        assert len(lake.summaries()) <= 8
    following.close()
    snapshot = lake.table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(lake.table.io)) <= 16
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)
