"""The table has exactly the readings that count, after every change of them."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.factories import create_tenant
from tests.journeys.processes import wait_until
from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake, counted
from timba.accounts.models import User
from timba.errors import Conflict
from timba.events.leased_process import CycleResult
from timba.events.leases import Lease, is_held
from timba.events.models import OutboxEvent, ProcessLease, Stream
from timba.files.models import Derivative, File
from timba.files.processing import process_file
from timba.files.services import delete_file, link_file, retry_file
from timba.files.storage import LocalStorage, store
from timba.files.trash import restore_file
from timba.temperatures.lake import counted_objects, follower, publishing
from timba.temperatures.lake.catalog import TABLE
from timba.temperatures.lake.contents import file_of, iter_data_files
from timba.temperatures.lake.counted_objects import ClientState
from timba.temperatures.lake.follower import Follower

YARD = "7,21.50,2026-06-01T12:00:00Z\n7,-3.05,2026-06-02T12:00:00Z\n9,4,2026-06-01T00:00:00Z\n"
# Of a footer of 32 bytes.
END = b"\x20\0\0\0PAR1"
QUAY = "7,0.01,2026-06-03T12:00:00Z\n11,-12.34,2026-06-03T00:00:00.000001Z\n"


def object_of(file: File) -> str:
    """Return the key of the readings of a file."""
    return Derivative.objects.get(file=file, role="readings", is_current=True).storage_key


def lose(file: File, damage: bytes | None = None) -> None:
    """Delete the readings of a file, or replace their object by these bytes."""
    key = object_of(file)
    store().delete(key)
    if damage is not None:
        with store().create(key) as writer:
            writer.write(damage)


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


@pytest.mark.parametrize("follows", [(), ("delete",), ("restore",), ("delete", "restore")])
def test_it_follows_a_restoration_wherever_it_was_before(
    lake: Lake, owner: User, settle: Receive, follows: tuple[str, ...]
) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    settle(QUAY, name="quay.csv")
    lake.catch_up()
    before = lake.statistics(client_id)
    delete_file(actor=owner, file=yard)
    if "delete" in follows:
        lake.catch_up()
        assert lake.statistics(client_id) == counted(client_id) != before
    restore_file(actor=owner, file=yard)
    if "restore" in follows:
        lake.catch_up()
        assert lake.statistics(client_id) == counted(client_id) == before
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id) != before
    restore_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id) == before


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
    assert following.run_once() is CycleResult.MOVED
    assert len(lake.summaries()) == 1
    link_file(actor=tenant.user, file=tenant.file, consignment=None)
    assert following.run_once() is CycleResult.IDLE
    assert following.run_once() is CycleResult.IDLE
    assert len(lake.summaries()) == 1
    delete_file(actor=tenant.user, file=tenant.file)
    assert following.run_once() is CycleResult.MOVED
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


@pytest.mark.parametrize("damage", [None, b"", b"not Parquet", b"PAR1" + b"\xff" * 32 + END])
def test_a_lost_or_damaged_object_keeps_back_neither_others_nor_a_later_round(
    lake: Lake, owner: User, settle: Receive, damage: bytes | None
) -> None:
    client_id = owner.client.pk
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    yard = settle(YARD)
    settle(QUAY, name="quay.csv")
    lose(yard, damage)
    with pytest.raises(CommandError, match="The readings of 1 files are missing or damaged"):
        call_command("lake", once=True)
    assert set(lake.statistics(client_id)) == {7, 11}
    assert lake.statistics(tenant.client.pk) == counted(tenant.client.pk) != {}
    assert lake.position(client_id) is None
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)


def test_an_outage_ends_the_command_with_one_sentence(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake").touch()
    with pytest.raises(CommandError, match="The lake cannot be brought up to date: "):
        call_command("lake", once=True)


def test_lost_objects_of_all_clients_are_one_warning(
    lake: Lake, owner: User, settle: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    lose(tenant.file)
    for number in range(24):
        lose(settle(f"{number + 1},21.5,2026-06-01T12:00:00Z\n", name=f"{number}.csv"))
    following = Follower()
    for _ in range(3):
        assert following.run_once() is CycleResult.IDLE
        following.retry_missing()
    following.close()
    (warning,) = [record for record in caplog.records if "missing" in record.getMessage()]
    assert isinstance(warning.msg, dict)
    assert warning.msg["event"] == "25 objects are missing or damaged"
    assert len(warning.msg["keys"]) == 20


def test_only_lost_objects_are_tried_again_and_after_a_pause(
    lake: Lake,
    owner: User,
    settle: Receive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[ClientState] = []
    reading = counted_objects.read_client

    def read_client(client_id: int, **arguments: Any) -> ClientState:
        read.append(reading(client_id, **arguments))
        return read[-1]

    monkeypatch.setattr(follower, "read_client", read_client)
    yard, quay = settle(YARD), settle(QUAY, name="quay.csv")
    with store().open_bytes(object_of(yard)) as stream:
        stored = stream.read()
    lose(yard)
    following = Follower()
    assert following.run_once() is CycleResult.MOVED
    assert following.run_once() is CycleResult.IDLE
    assert [state.file_ids for state in read] == [None]
    following.retry_missing()
    assert following.run_once() is CycleResult.IDLE
    assert following.run_once() is CycleResult.IDLE
    assert [state.file_ids for state in read] == [None, {yard.pk}]
    # A change of another file does not complete the client.
    delete_file(actor=owner, file=quay)
    assert following.run_once() is CycleResult.MOVED
    assert read[-1].file_ids == {quay.pk}
    assert lake.position(owner.client.pk) is None
    with store().create(object_of(yard)) as writer:
        writer.write(stored)
    following.retry_missing()
    assert following.run_once() is CycleResult.MOVED
    following.close()
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk) != {}
    assert lake.position(owner.client.pk) is not None


def test_one_follower_works_and_the_other_commits_nothing(
    lake: Lake, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(YARD)
    other = Lease(ProcessLease.Name.LAKE)
    assert other.renew()
    monkeypatch.setattr(follower, "_LEASE_WAIT_SECONDS", 0.0)
    with pytest.raises(Conflict, match="is running"):
        Follower().catch_up()
    assert Follower().run_once() is CycleResult.STANDBY
    assert lake.summaries() == []
    other.release()
    lake.catch_up()
    assert len(lake.summaries()) == 1


def test_a_follower_that_was_paused_commits_nothing_on_an_outdated_table(
    lake: Lake, owner: User, settle: Receive, caplog: pytest.LogCaptureFixture
) -> None:
    client_id = owner.client.pk
    paused = Follower()
    paused.run_once()
    ProcessLease.objects.update(expires_at=None)
    settle(YARD)
    lake.catch_up()
    assert paused.run_once() is CycleResult.STUCK
    assert "Requirement failed" in caplog.text
    assert lake.statistics(client_id) == counted(client_id)
    assert paused.run_once() is CycleResult.IDLE
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
        wait_until(
            lambda: "cannot be brought up to date" in caplog.text, seconds=60, what="a warning"
        )
        obstacle.unlink()
        settle(YARD)
        wait_until(
            lambda: "brought up to date again" in caplog.text, seconds=60, what="the recovery"
        )
        settle(QUAY, name="quay.csv")
        wait_until(
            lambda: lake.summaries()[-1]["total-data-files"] == "2",
            seconds=60,
            what="two files in the table",
        )
    finally:
        following.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert not is_held(ProcessLease.Name.LAKE)
    assert lake.statistics(owner.client.pk) == counted(owner.client.pk)


def test_a_removed_catalog_is_made_anew(
    lake: Lake, owner: User, settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_RELOAD_SECONDS", 0.0)
    settle(YARD)
    following = Follower()
    assert following.run_once() is CycleResult.MOVED
    lake.table.catalog.drop_table(TABLE)
    assert following.run_once() is CycleResult.STUCK
    assert following.run_once() is CycleResult.MOVED
    following.close()
    lake.close()
    assert Lake().statistics(owner.client.pk) == counted(owner.client.pk) != {}


class SlowStorage(LocalStorage):
    """A store in which reading an object takes until the lease of the lake is renewed."""

    def open_bytes(self, key: str) -> BinaryIO:
        soon = timezone.now() + timedelta(seconds=8)
        ProcessLease.objects.update(expires_at=soon)
        wait_until(
            lambda: ProcessLease.objects.filter(expires_at__gt=soon).exists(),
            seconds=30,
            what="the lease is renewed",
        )
        return super().open_bytes(key)


def test_the_lease_is_renewed_during_a_long_step(
    lake: Lake, settle: Receive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "RENEWAL_SECONDS", 0.2)
    settle(YARD)
    backend = f"{SlowStorage.__module__}.{SlowStorage.__qualname__}"
    default = {**settings.STORAGES["default"], "BACKEND": backend}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    lake.catch_up()
    assert len(lake.summaries()) == 1
