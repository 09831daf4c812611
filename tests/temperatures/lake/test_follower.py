"""The table has exactly the readings that count, after every change of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F
from pyiceberg.exceptions import CommitFailedException

from tests.factories import create_tenant
from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from timba.accounts.models import User
from timba.errors import Conflict, Unavailable
from timba.events.leases import Lease, is_held
from timba.events.models import OutboxEvent, ProcessLease, Stream
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.services import delete_file, link_file, retry_file
from timba.files.storage import store
from timba.temperatures.lake import counted_objects, follower, publishing
from timba.temperatures.lake.contents import file_of, iter_data_files
from timba.temperatures.lake.follower import Follower, LostLease

YARD = "7,21.50,2026-06-01T12:00:00Z\n7,-3.05,2026-06-02T12:00:00Z\n9,4,2026-06-01T00:00:00Z\n"
QUAY = "7,0.01,2026-06-03T12:00:00Z\n11,-12.34,2026-06-03T00:00:00.000001Z\n"


def object_of(file: File) -> str:
    """Return the key of the readings of a file."""
    return Derivative.objects.get(file=file, role="readings", is_current=True).storage_key


def test_it_follows_uploads_and_a_deletion(lake: Lake, owner: User, settle: Receive) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    lake.catch_up()
    assert set(lake.statistics(client_id)) == {7, 9}
    settle(QUAY, name="quay.csv")
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 9, 11}
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 11}


def test_a_file_that_is_read_again_counts_as_before_until_it_is(
    lake: Lake, owner: User, settle: Receive
) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    lake.catch_up()
    before = lake.statistics(client_id)
    retry_file(actor=owner, file=yard, read_as={"unit": "F"})
    lake.catch_up()
    assert lake.statistics(client_id) == before == counted(client_id)
    assert process_file(yard.pk)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id) != before


def test_a_deletion_drops_an_entry_and_writes_no_data(
    lake: Lake, owner: User, settle: Receive, tmp_path: Path
) -> None:
    yard, quay = settle(YARD), settle(QUAY, name="quay.csv")
    lake.catch_up()
    before = {found.key for found in store().list_objects()}
    # A whole limit, of 36 characters, tells the file.
    assert {file_of(entry) for entry in iter_data_files(lake.table)} == {
        str(yard.pk),
        str(quay.pk),
    }
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert {found.key for found in store().list_objects()} == before
    assert not list((tmp_path / "lake").rglob("*.parquet"))
    last = lake.summaries()[-1]
    assert (last["deleted-data-files"], last["total-data-files"]) == ("1", "1")
    assert "added-data-files" not in last


def test_each_snapshot_tells_up_to_which_event_of_which_client_it_is(
    lake: Lake, owner: User, settle: Receive
) -> None:
    settle(YARD)
    lake.catch_up()
    (summary,) = lake.summaries()
    stream = Stream.objects.get(client_id=owner.client.pk)
    assert {name: value for name, value in summary.items() if name.startswith("timba.")} == {
        "timba.client-id": str(stream.client_id),
        "timba.epoch": str(stream.epoch),
        "timba.sequence": str(stream.last_sequence),
    }
    assert lake.position(stream.client_id) == f"{stream.epoch}.{stream.last_sequence}"


def test_what_changes_no_reading_is_no_commit(lake: Lake) -> None:
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    following = Follower()
    assert following.run_once()
    assert len(lake.summaries()) == 1
    link_file(actor=tenant.user, file=tenant.file, consignment=None)
    assert not following.run_once()
    assert not following.run_once()
    assert len(lake.summaries()) == 1
    delete_file(actor=tenant.user, file=tenant.file)
    assert following.run_once()
    following.close()
    assert lake.statistics(tenant.client.pk) == {}


def test_clients_are_apart(lake: Lake, owner: User, settle: Receive) -> None:
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    settle(YARD)
    settle(QUAY, actor=tenant.user)
    lake.catch_up()
    for client_id in (owner.client.pk, tenant.client.pk):
        assert lake.statistics(client_id) == counted(client_id) != {}


@pytest.mark.parametrize("limit", [None, 1])
def test_many_changes_are_several_commits_of_which_the_last_has_the_position(
    lake: Lake,
    owner: User,
    settle: Receive,
    monkeypatch: pytest.MonkeyPatch,
    limit: int | None,
) -> None:
    monkeypatch.setattr(publishing, "BATCH_SIZE", 2)
    if limit is not None:
        monkeypatch.setattr(counted_objects, "MAX_CHANGED", limit)
    lake.catch_up()
    for number in range(5):
        settle(f"{number + 1},21.5,2026-06-01T12:00:00Z\n", name=f"{number}.csv")
    lake.catch_up()
    assert ["timba.sequence" in summary for summary in lake.summaries()] == [False, False, True]
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def test_a_restored_backup_ends_right_though_no_event_tells_of_it(
    lake: Lake, owner: User, settle: Receive
) -> None:
    """It has no row of what came later, and events of another epoch with the same numbers."""
    client_id = owner.client.pk
    settle(YARD)
    lost = settle(QUAY, name="quay.csv")
    lake.catch_up()
    File.unscoped.filter(pk=lost.pk).delete()
    Stream.objects.filter(client_id=client_id).update(epoch=F("epoch") + 1)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 9}


def test_pruned_events_end_right(lake: Lake, owner: User, settle: Receive) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    lake.catch_up()
    delete_file(actor=owner, file=yard)
    settle(QUAY, name="quay.csv")
    # Those of the deletion and the upload; the last one is kept.
    last = Stream.objects.get(client_id=client_id).last_sequence
    OutboxEvent.objects.filter(client_id=client_id, sequence__lt=last).delete()
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 11}


def test_a_client_that_a_restore_has_undone_leaves_the_table(
    lake: Lake, owner: User, settle: Receive
) -> None:
    client_id = owner.client.pk
    settle(YARD)
    lake.catch_up()
    File.unscoped.filter(client_id=client_id).delete()
    Stream.objects.filter(client_id=client_id).delete()
    lake.catch_up()
    assert lake.statistics(client_id) == {}
    assert lake.position(client_id) is None


def test_a_missing_object_keeps_back_neither_others_nor_a_later_round(
    lake: Lake, owner: User, settle: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    settle(QUAY, name="quay.csv")
    store().delete(object_of(yard))
    following = Follower()
    assert following._run_as_holder()
    assert not following._run_as_holder()
    assert caplog.text.count("objects are missing") == 1
    assert "again" not in caplog.text
    following.close()
    with pytest.raises(Unavailable, match="The readings of 1 files are missing"):
        lake.catch_up()
    assert set(lake.statistics(client_id)) == {7, 11}
    assert lake.position(client_id) is None
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)


def test_one_follower_works_and_the_other_commits_nothing(
    lake: Lake, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(YARD)
    other = Lease(ProcessLease.Name.LAKE)
    assert other.renew()
    monkeypatch.setattr(follower, "_LEASE_WAIT_SECONDS", 0.0)
    with pytest.raises(Conflict, match="is running"):
        Follower().catch_up()
    with pytest.raises(LostLease):
        Follower().run_once()
    assert lake.summaries() == []
    other.release()
    lake.catch_up()
    assert len(lake.summaries()) == 1


def test_a_follower_that_was_paused_commits_nothing_on_an_outdated_table(
    lake: Lake, owner: User, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = owner.client.pk
    paused = Follower()
    paused.run_once()
    paused._lease.release()
    settle(YARD)
    lake.catch_up()
    with pytest.raises(CommitFailedException):
        paused.run_once()
    assert lake.statistics(client_id) == counted(client_id)
    paused._forget_table()
    assert not paused.run_once()
    paused.close()
    assert len(lake.summaries()) == 1


def test_it_follows_through_an_outage_until_it_is_stopped(
    lake: Lake, owner: User, settle: Receive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    obstacle = tmp_path / "lake"
    obstacle.touch()
    following = Follower()

    def run() -> None:
        following.run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: "cannot be brought up to date" in caplog.text)
        obstacle.unlink()
        settle(YARD)
        wait_until(lambda: "brought up to date again" in caplog.text)
        settle(QUAY, name="quay.csv")
        wait_until(
            lambda: lake.summaries()[-1:] and lake.summaries()[-1]["total-data-files"] == "2"
        )
    finally:
        following.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert not is_held(ProcessLease.Name.LAKE)
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")
