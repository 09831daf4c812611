"""A deleted consignment can be restored as it was, until it is purged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.consignments.test_deletion import events_since, last_sequence
from tests.factories import Tenant, create_tenant
from timba.accounts.services import delete_user
from timba.consignments import trash
from timba.consignments.logs import NewLog, add_log, add_logs, change_log
from timba.consignments.models import Consignment, DeletedConsignment, DeletedLog, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment, purge_expired, restore_consignment
from timba.errors import Conflict, NotFound
from timba.files.models import File
from timba.files.services import delete_file, link_file
from timba.notes.models import Note
from timba.notes.services import change_note, delete_note
from timba.runtime.backup_format import BACKED_UP

SIZE: dict[str, Any] = {"length": Decimal("4.125"), "breadth": Decimal(30), "height": Decimal(31)}
INSTEAD = "Rename or delete what has taken its place, then try again."


@pytest.fixture
def tenant(db: None) -> Tenant:
    tenant = create_tenant(word="Kalnamuiza", first_id=5_000_001)
    DeletedConsignment.unscoped.all().delete()
    return tenant


def delete(tenant: Tenant, consignment: Consignment | None = None) -> DeletedConsignment:
    """Delete a consignment, by default the tenant's."""
    consignment = Consignment.unscoped.get(pk=(consignment or tenant.consignment).pk)
    delete_consignment(actor=tenant.user, consignment=consignment)
    return DeletedConsignment.unscoped.get(pk=consignment.pk)


def restore(tenant: Tenant, deleted: DeletedConsignment) -> Consignment:
    return restore_consignment(actor=tenant.user, deleted=deleted)


def refusal(tenant: Tenant, deleted: DeletedConsignment) -> str:
    """Return why a restoration is refused; check that it changes nothing."""
    before = rows(Consignment, Log, DeletedConsignment, DeletedLog)
    with pytest.raises(Conflict) as refused:
        restore(tenant, deleted)
    assert rows(Consignment, Log, DeletedConsignment, DeletedLog) == before
    return str(refused.value)


def rows(*models: Any) -> list[dict[str, Any]]:
    return [row for model in models for row in model.unscoped.order_by("pk").values()]


def opened(tenant: Tenant, name: str) -> Consignment:
    return open_consignment(actor=tenant.user, client=tenant.client, name=name, type="pinewood")


# --- As it was -----------------------------------------------------------------------------------


def test_a_consignment_is_restored_with_its_logs_exactly_as_it_was(tenant: Tenant) -> None:
    add_logs(
        actor=tenant.user,
        consignment=tenant.consignment,
        logs=[NewLog(**SIZE), NewLog(barcode="Ķ 7", **SIZE)],
    )
    Consignment.unscoped.update(updated_at=timezone.now() - timedelta(days=3))
    Log.unscoped.update(updated_at=timezone.now() - timedelta(days=2), created_by=tenant.colleague)
    before = rows(Consignment, Log)
    deleted = delete(tenant)
    assert rows(Consignment, Log) == []
    assert (deleted.deleted_by, deleted.log_count) == (tenant.user, 3)
    assert timezone.now() - deleted.deleted_at < timedelta(minutes=1)
    restored = restore(tenant, deleted)
    assert rows(Consignment, Log) == before
    assert restored == Consignment.unscoped.get()
    assert rows(DeletedConsignment, DeletedLog) == []


def test_the_events_of_a_restoration_can_be_applied_in_their_order(tenant: Tenant) -> None:
    second = add_log(actor=tenant.user, consignment=tenant.consignment, **SIZE)
    deleted = delete(tenant)
    began = last_sequence(tenant)
    restore(tenant, deleted)
    published = events_since(began)
    assert [(noun, action, body["id"]) for noun, action, body in published] == [
        ("consignment", "create", tenant.consignment.pk),
        ("log", "create", tenant.log.pk),
        ("log", "create", second.pk),
        ("file", "update", str(tenant.file.pk)),
        ("note", "update", tenant.note.pk),
    ]
    consignment, log, _, file, note = (body for _, _, body in published)
    assert (consignment["log_count"], log["barcode"]) == (2, tenant.word)
    assert log["consignment_id"] == note["consignment_id"] == tenant.consignment.pk
    assert (file["consignment_id"], file["log_id"]) == (tenant.consignment.pk, tenant.log.pk)


def test_a_consignment_can_be_deleted_and_restored_again_and_again(tenant: Tenant) -> None:
    before = rows(Consignment, Log)
    for _ in range(3):
        restore(tenant, delete(tenant))
    assert rows(Consignment, Log) == before
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (tenant.consignment, tenant.log)
    add_log(actor=tenant.user, consignment=tenant.consignment, **SIZE)
    assert delete(tenant).logs.count() == 2


def test_a_restored_consignment_takes_logs_and_generates_no_barcode_twice(tenant: Tenant) -> None:
    given = add_log(actor=tenant.user, consignment=tenant.consignment, **SIZE)
    other = opened(tenant, "Other")
    deleted = delete(tenant)
    between = add_log(actor=tenant.user, consignment=other, **SIZE)
    restored = restore(tenant, deleted)
    after = add_log(actor=tenant.user, consignment=restored, **SIZE)
    numbers = [int(log.barcode.rpartition("-")[2]) for log in (given, between, after)]
    assert numbers == [1, 2, 3]
    assert given.pk < between.pk < after.pk
    assert Consignment.unscoped.get(pk=restored.pk).log_count == 3


def test_what_a_deleted_user_did_stays_without_the_user(tenant: Tenant) -> None:
    Consignment.unscoped.update(created_by=tenant.colleague, updated_by=tenant.colleague)
    Log.unscoped.update(created_by=tenant.colleague)
    deleted = delete(tenant)
    DeletedConsignment.unscoped.update(deleted_by=tenant.colleague)
    delete_user(actor=tenant.user, user=tenant.colleague)
    deleted.refresh_from_db()
    assert deleted.deleted_by is None
    restored = restore(tenant, deleted)
    assert (restored.created_by, restored.updated_by, Log.unscoped.get().created_by) == (None,) * 3


def test_a_large_consignment_is_deleted_and_restored_in_a_few_queries(tenant: Tenant) -> None:
    logs = [NewLog(barcode=f"B {number}", **SIZE) for number in range(1_000)]
    add_logs(actor=tenant.user, consignment=tenant.consignment, logs=logs)
    with CaptureQueriesContext(connection) as deletion:
        deleted = delete(tenant)
    with CaptureQueriesContext(connection) as restoration:
        restore(tenant, deleted)
    # The events are inserted 50 at a time.
    assert len(deletion) < 50
    assert len(restoration) < 50
    assert Log.unscoped.count() == 1_001


# --- What was taken meanwhile --------------------------------------------------------------------


def test_logs_that_are_older_than_keys_are_restored_beside_each_other(tenant: Tenant) -> None:
    other = opened(tenant, "Other")
    twin = add_log(actor=tenant.user, consignment=other, barcode="x-1", **SIZE)
    Log.unscoped.filter(pk=tenant.log.pk).update(barcode="X-1", barcode_key=None)
    deleted = delete(tenant)
    restored = restore(tenant, deleted)
    assert list(Log.unscoped.order_by("pk").values_list("barcode", "barcode_key")) == [
        ("X-1", None),
        ("x-1", twin.barcode_key),
    ]
    deleted = delete(tenant, restored)
    change_log(actor=tenant.user, log=twin, barcode="X-1")
    assert refusal(tenant, deleted) == (
        f"It cannot be restored, because there is a log with the barcode “X-1” already. {INSTEAD}"
    )


@pytest.mark.only_on("sqlite")
@pytest.mark.django_db(transaction=True)
def test_no_id_of_a_deleted_consignment_is_given_again_after_a_migration(tenant: Tenant) -> None:
    deleted = delete(tenant)
    with connection.schema_editor() as editor:
        for model in (Consignment, Log):
            # What a migration that alters a column does.
            editor._remake_table(model)
    assert opened(tenant, "Other").pk > deleted.pk
    assert restore(tenant, deleted).pk == deleted.pk


def test_its_name_and_barcodes_are_free_at_once_and_named_once_taken(tenant: Tenant) -> None:
    deleted = delete(tenant)
    other = opened(tenant, tenant.word)
    named = f"there is a consignment named “{tenant.word}”"
    assert refusal(tenant, deleted) == (
        f"It cannot be restored, because {named} already. {INSTEAD}"
    )
    # By key, in the spelling of the other log.
    taken = add_log(
        actor=tenant.user, consignment=other, barcode=tenant.word.upper() + "\u200b", **SIZE
    )
    assert refusal(tenant, deleted) == (
        f"It cannot be restored, because {named} and there is a log with the "
        f"barcode “{tenant.word.upper()}” already. {INSTEAD}"
    )
    Consignment.unscoped.update(name="Renamed")
    change_log(actor=tenant.user, log=taken, barcode="another")
    assert restore(tenant, deleted).name == tenant.word


def test_ten_taken_barcodes_are_named_in_order_and_the_others_counted(tenant: Tenant) -> None:
    logs = [NewLog(barcode=f"B {number}", **SIZE) for number in range(12)]
    add_logs(actor=tenant.user, consignment=tenant.consignment, logs=logs)
    deleted = delete(tenant)
    other = opened(tenant, "Other")
    added = add_logs(actor=tenant.user, consignment=other, logs=logs[::-1])
    ten = ", ".join(f"“B {number}”" for number in range(10))
    there = "It cannot be restored, because there are logs with the barcodes"
    assert refusal(tenant, deleted) == f"{there} {ten} and 2 more already. {INSTEAD}"
    for log in added[:10]:
        change_log(actor=tenant.user, log=log, barcode=f"free {log.pk}")
    assert refusal(tenant, deleted) == f"{there} “B 0” and “B 1” already. {INSTEAD}"


def test_a_barcode_without_a_key_is_taken_by_the_same_one(tenant: Tenant) -> None:
    Log.unscoped.update(barcode_key=None)
    deleted = delete(tenant)
    assert restore(tenant, deleted).pk == deleted.pk
    assert Log.unscoped.get().barcode_key is None
    deleted = delete(tenant)
    other = opened(tenant, "Other")
    add_log(actor=tenant.user, consignment=other, barcode=tenant.word.lower(), **SIZE)
    assert f"there is a log with the barcode “{tenant.word.lower()}”" in refusal(tenant, deleted)


def test_names_and_barcodes_of_other_clients_take_nothing(tenant: Tenant) -> None:
    other = create_tenant(word="Dzirnupe", first_id=7_000_001)
    deleted = delete(tenant)
    load = open_consignment(
        actor=other.user, client=other.client, name=tenant.word, type="pinewood"
    )
    add_log(actor=other.user, consignment=load, barcode=tenant.word, **SIZE)
    assert restore(tenant, deleted).client == tenant.client


def test_a_consignment_is_restored_once(tenant: Tenant) -> None:
    deleted = delete(tenant)
    restore(tenant, deleted)
    with pytest.raises(NotFound, match=r"^There is no such deleted consignment\.$"):
        restore(tenant, deleted)


# --- Files and notes -----------------------------------------------------------------------------


def _move_elsewhere(tenant: Tenant) -> None:
    other = opened(tenant, "Other")
    link_file(actor=tenant.user, file=tenant.file, consignment=other)
    change_note(actor=tenant.user, note=tenant.note, consignment=other)


def _delete_both(tenant: Tenant) -> None:
    File.unscoped.all().delete()
    delete_note(actor=tenant.user, note=tenant.note)


@pytest.mark.parametrize("meanwhile", [_move_elsewhere, _delete_both])
def test_files_and_notes_that_have_another_place_or_are_gone_are_not_linked(
    meanwhile: Callable[[Tenant], None], tenant: Tenant
) -> None:
    deleted = delete(tenant)
    meanwhile(tenant)
    files, notes = rows(File), rows(Note)
    began = last_sequence(tenant)
    restore(tenant, deleted)
    assert (rows(File), rows(Note)) == (files, notes)
    assert [noun for noun, _, _ in events_since(began)] == ["consignment", "log"]


def test_a_file_in_the_trash_has_its_place_again_without_an_event(tenant: Tenant) -> None:
    deleted = delete(tenant)
    delete_file(actor=tenant.user, file=tenant.file)
    began = last_sequence(tenant)
    restore(tenant, deleted)
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (tenant.consignment, tenant.log)
    assert "file" not in {noun for noun, _, _ in events_since(began)}


def test_a_file_of_another_consignment_has_its_log_again(tenant: Tenant) -> None:
    other, third = opened(tenant, "Other"), opened(tenant, "Third")
    link_file(actor=tenant.user, file=tenant.file, consignment=other, log=tenant.log)
    deleted = delete(tenant)
    assert (File.unscoped.get().consignment, File.unscoped.get().log) == (other, None)
    restore(tenant, deleted)
    assert (File.unscoped.get().consignment, File.unscoped.get().log) == (other, tenant.log)
    deleted = delete(tenant)
    link_file(actor=tenant.user, file=tenant.file, consignment=third)
    restore(tenant, deleted)
    assert (File.unscoped.get().consignment, File.unscoped.get().log) == (third, None)


# --- The end of the trash ------------------------------------------------------------------------


def test_expired_consignments_are_purged_with_their_logs_and_others_stay(
    tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_TRASH_DAYS = 7
    monkeypatch.setattr(trash, "_PURGE_BATCH", 2)
    loads = [tenant.consignment, *(opened(tenant, f"Load {number}") for number in range(3))]
    for days, load in zip((9, 8, 10, 6), loads, strict=True):
        delete(tenant, load)
        DeletedConsignment.unscoped.filter(pk=load.pk).update(
            deleted_at=timezone.now() - timedelta(days=days)
        )
    purge_expired()
    assert {row.pk for row in DeletedConsignment.unscoped.all()} == {loads[1].pk, loads[3].pk}
    assert not DeletedLog.unscoped.exists()
    purge_expired()
    assert DeletedConsignment.unscoped.get().pk == loads[3].pk
    assert restore(tenant, DeletedConsignment.unscoped.get()) == loads[3]


def test_the_sweeper_purges_and_backups_hold_the_trash(settings: Settings) -> None:
    assert "timba.consignments.trash.purge_expired" in settings.PURGES
    assert {"consignments.deletedconsignment", "consignments.deletedlog"} <= set(BACKED_UP)
