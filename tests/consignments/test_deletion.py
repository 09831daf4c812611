"""Related rows are unlinked when a consignment or a log is deleted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tests.factories import Tenant, create_tenant
from tests.temperatures.uploads import settle_readings
from timba.consignments.deletion import DeletionHook, check_deletion_hooks
from timba.consignments.logs import add_log, delete_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment
from timba.errors import NotFound
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.receiving import Upload, accept_files
from timba.files.services import delete_file, link_file
from timba.notes.models import Note
from timba.notes.services import change_note, relink_notes, unlink_notes, write_note

FILES = "timba.files.consignment_links.DELETION_HOOK"
NOTES = "timba.notes.services.DELETION_HOOK"
ACCOUNTS = f"{__name__}.ACCOUNTS_HOOK"
ACCOUNTS_HOOK = DeletionHook(app_label="accounts", unlink=unlink_notes, relink=relink_notes)


@pytest.fixture
def tenant(db: None) -> Tenant:
    return create_tenant(word="Kalnamuiza", first_id=5_000_001)


def events_since(sequence: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return noun, action and body of each event after this one."""
    found = []
    for event in OutboxEvent.objects.filter(sequence__gt=sequence).order_by("sequence"):
        noun = event.topic.removesuffix("_events")
        value = orjson.loads(event.value)
        found.append((noun, value["action"], value[noun]))
    return found


def last_sequence(tenant: Tenant) -> int:
    last = OutboxEvent.objects.filter(client_id=tenant.client.pk).order_by("sequence").last()
    return 0 if last is None else last.sequence


def test_deleting_a_consignment_deletes_logs_and_unlinks_files_and_notes(tenant: Tenant) -> None:
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    second = add_log(actor=tenant.user, consignment=tenant.consignment, **size)
    began = last_sequence(tenant)
    delete_consignment(actor=tenant.user, consignment=tenant.consignment)
    assert not Consignment.unscoped.exists()
    assert not Log.unscoped.exists()
    file, note = File.unscoped.get(), Note.unscoped.get()
    assert (file.consignment_id, file.log_id, note.consignment_id) == (None, None, None)
    published = events_since(began)
    assert [(noun, action, body["id"]) for noun, action, body in published] == [
        ("file", "update", str(tenant.file.pk)),
        ("note", "update", tenant.note.pk),
        ("log", "delete", tenant.log.pk),
        ("log", "delete", second.pk),
        ("consignment", "delete", tenant.consignment.pk),
    ]
    assert (published[0][2]["consignment_id"], published[0][2]["log_id"]) == (None, None)
    assert published[1][2]["consignment_id"] is None
    # The last state is the one with its logs.
    assert published[-1][2]["log_count"] == 2


def test_a_deleted_log_leaves_its_files_in_their_consignment(tenant: Tenant) -> None:
    began = last_sequence(tenant)
    delete_log(actor=tenant.user, log=tenant.log)
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (tenant.consignment, None)
    assert Note.unscoped.get().consignment == tenant.consignment
    published = events_since(began)
    assert [(noun, action) for noun, action, _ in published] == [
        ("file", "update"),
        ("log", "delete"),
    ]
    assert published[0][2]["consignment_id"] == tenant.consignment.pk


def test_a_file_of_a_log_is_unlinked_whatever_its_consignment(tenant: Tenant) -> None:
    other = open_consignment(actor=tenant.user, client=tenant.client, name="Other", type="pinewood")
    link_file(actor=tenant.user, file=tenant.file, consignment=other, log=tenant.log)
    delete_consignment(actor=tenant.user, consignment=tenant.consignment)
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (other, None)
    body = [body for noun, action, body in events_since(0) if (noun, action) == ("file", "update")][
        -1
    ]
    assert (body["consignment_id"], body["log_id"]) == (other.pk, None)


def test_a_deleted_file_is_unlinked_without_an_event(tenant: Tenant) -> None:
    delete_file(actor=tenant.user, file=tenant.file)
    began = last_sequence(tenant)
    delete_consignment(actor=tenant.user, consignment=tenant.consignment)
    assert File.unscoped.get().consignment is None
    assert "file" not in {noun for noun, _, _ in events_since(began)}


def test_nothing_of_other_consignments_is_touched(tenant: Tenant) -> None:
    other = create_tenant(word="Dzirnupe", first_id=7_000_001)
    delete_consignment(actor=tenant.user, consignment=tenant.consignment)
    assert File.unscoped.get(pk=other.file.pk).log == other.log
    assert Note.unscoped.get(pk=other.note.pk).consignment == other.consignment


def test_files_and_notes_are_unlinked_in_a_few_queries(tenant: Tenant) -> None:
    for number in range(30):
        readings = f"{number + 1},1,2026-01-01T00:00:00Z\n"
        file = settle_readings(readings, actor=tenant.user, name=f"{number}.csv")
        link_file(actor=tenant.user, file=file, consignment=tenant.consignment, log=tenant.log)
    with CaptureQueriesContext(connection) as queries:
        delete_log(actor=tenant.user, log=tenant.log)
    assert len(queries) < 20


# --- What is tied to a consignment at the moment of its end ---------------------------------------


def _write_note(tenant: Tenant) -> None:
    write_note(actor=tenant.user, client=tenant.client, title="N", consignment=tenant.consignment)


def _change_note(tenant: Tenant) -> None:
    change_note(
        actor=tenant.user, note=tenant.note, title="N", content="", consignment=tenant.consignment
    )


def _place_file(tenant: Tenant) -> None:
    link_file(actor=tenant.user, file=tenant.file, consignment=tenant.consignment, log=None)


def _accept_file(tenant: Tenant) -> None:
    upload = Upload(name="gate.txt")
    upload.write(b"Seal 88412 intact.\n")
    upload.finish()
    upload.identify(kind=None)
    accept_files(
        actor=tenant.user, client=tenant.client, uploads=[upload], consignment=tenant.consignment
    )


@pytest.mark.parametrize("tie", [_write_note, _change_note, _place_file, _accept_file])
def test_nothing_is_linked_to_a_consignment_deleted_concurrently(
    tie: Callable[[Tenant], None], tenant: Tenant
) -> None:
    delete_consignment(
        actor=tenant.user, consignment=Consignment.unscoped.get(pk=tenant.consignment.pk)
    )
    notes, began = Note.unscoped.count(), last_sequence(tenant)
    with pytest.raises(NotFound, match=r"^There is no such consignment\.$"):
        tie(tenant)
    # All constraints are met, also those that are looked at last.
    connection.check_constraints()
    assert (Note.unscoped.count(), last_sequence(tenant)) == (notes, began)
    assert not File.unscoped.live().exclude(pk=tenant.file.pk).exists()


def test_no_file_is_linked_to_a_log_deleted_concurrently(tenant: Tenant) -> None:
    delete_log(actor=tenant.user, log=Log.unscoped.get())
    with pytest.raises(NotFound, match=r"^There is no such log\.$"):
        link_file(
            actor=tenant.user, file=tenant.file, consignment=tenant.consignment, log=tenant.log
        )
    connection.check_constraints()


# --- At start ------------------------------------------------------------------------------------


def test_the_shipped_settings_pass() -> None:
    assert check_deletion_hooks(None) == []


@pytest.mark.parametrize(
    ("listed", "sentences"),
    [
        ([FILES], ["names 0 hooks of “notes”"]),
        ([FILES, NOTES, FILES], ["names 2 hooks of “files”"]),
        ([FILES, NOTES, ACCOUNTS], ["names 1 hooks of “accounts”"]),
        (
            [FILES, "timba.notes.services.unlink_notes"],
            ["timba.notes.services.unlink_notes is no DeletionHook", "names 0 hooks of “notes”"],
        ),
        (
            [FILES, "timba.notes.services.unlink"],
            ['Module "timba.notes.services" does not define', "names 0 hooks of “notes”"],
        ),
    ],
)
def test_an_app_without_or_with_several_deletion_hooks_is_an_error(
    listed: list[str], sentences: list[str], settings: Settings
) -> None:
    settings.CONSIGNMENT_DELETION_HOOKS = listed
    found = check_deletion_hooks(None)
    assert [error.id for error in found] == ["timba.E021"] * len(sentences)
    for error, sentence in zip(found, sentences, strict=True):
        assert sentence in error.msg
