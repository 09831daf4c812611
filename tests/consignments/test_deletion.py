"""Whatever belongs to a consignment or to a log lets go of it when it is deleted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from tests.temperatures.uploads import settle_readings
from tests.worlds import World, make_world
from timba.consignments.deletion import check_deletion_hooks
from timba.consignments.models import Consignment, Log
from timba.consignments.services import add_log, delete_consignment, delete_log, open_consignment
from timba.errors import NotFound
from timba.events.models import OutboxEvent
from timba.files.models import File
from timba.files.receiving import Upload, accept_files
from timba.files.services import delete_file, place_file
from timba.notes.models import Note
from timba.notes.services import change_note, write_note

FILES, NOTES = "timba.files.services.unlink_files", "timba.notes.services.unlink_notes"


@pytest.fixture
def world(db: None) -> World:
    return make_world(word="Kalnamuiza", first_id=5_000_001)


def told_since(sequence: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return noun, action and body of each event after this one."""
    found = []
    for event in OutboxEvent.objects.filter(sequence__gt=sequence).order_by("sequence"):
        noun = event.topic.removesuffix("_events")
        value = orjson.loads(event.value)
        found.append((noun, value["action"], value[noun]))
    return found


def now(world: World) -> int:
    last = OutboxEvent.objects.filter(client_id=world.client.pk).order_by("sequence").last()
    return 0 if last is None else last.sequence


def test_a_deleted_consignment_takes_its_logs_and_leaves_files_and_notes(world: World) -> None:
    size = dict.fromkeys(("length", "breadth", "height"), Decimal(4))
    second = add_log(actor=world.user, consignment=world.consignment, **size)
    began = now(world)
    delete_consignment(actor=world.user, consignment=world.consignment)
    assert not Consignment.unscoped.exists()
    assert not Log.unscoped.exists()
    file, note = File.unscoped.get(), Note.unscoped.get()
    assert (file.consignment_id, file.log_id, note.consignment_id) == (None, None, None)
    told = told_since(began)
    assert [(noun, action, body["id"]) for noun, action, body in told] == [
        ("file", "update", str(world.file.pk)),
        ("note", "update", world.note.pk),
        ("log", "delete", world.log.pk),
        ("log", "delete", second.pk),
        ("consignment", "delete", world.consignment.pk),
    ]
    assert (told[0][2]["consignment_id"], told[0][2]["log_id"]) == (None, None)
    assert told[1][2]["consignment_id"] is None
    # The last state is the one with its logs.
    assert told[-1][2]["log_count"] == 2


def test_a_deleted_log_leaves_its_files_in_their_consignment(world: World) -> None:
    began = now(world)
    delete_log(actor=world.user, log=world.log)
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (world.consignment, None)
    assert Note.unscoped.get().consignment == world.consignment
    told = told_since(began)
    assert [(noun, action) for noun, action, _ in told] == [("file", "update"), ("log", "delete")]
    assert told[0][2]["consignment_id"] == world.consignment.pk


def test_a_file_of_a_log_is_let_go_wherever_else_it_belongs(world: World) -> None:
    other = open_consignment(actor=world.user, client=world.client, name="Other", type="pinewood")
    place_file(actor=world.user, file=world.file, consignment=other, log=world.log)
    delete_consignment(actor=world.user, consignment=world.consignment)
    file = File.unscoped.get()
    assert (file.consignment, file.log) == (other, None)
    body = [body for noun, action, body in told_since(0) if (noun, action) == ("file", "update")][
        -1
    ]
    assert (body["consignment_id"], body["log_id"]) == (other.pk, None)


def test_a_deleted_file_is_let_go_without_a_word(world: World) -> None:
    delete_file(actor=world.user, file=world.file)
    began = now(world)
    delete_consignment(actor=world.user, consignment=world.consignment)
    assert File.unscoped.get().consignment is None
    assert "file" not in {noun for noun, _, _ in told_since(began)}


def test_nothing_of_other_consignments_is_touched(world: World) -> None:
    other = make_world(word="Dzirnupe", first_id=7_000_001)
    delete_consignment(actor=world.user, consignment=world.consignment)
    assert File.unscoped.get(pk=other.file.pk).log == other.log
    assert Note.unscoped.get(pk=other.note.pk).consignment == other.consignment


def test_files_and_notes_are_let_go_of_in_a_few_queries(world: World) -> None:
    for number in range(30):
        readings = f"{number + 1},1,2026-01-01T00:00:00Z\n"
        file = settle_readings(readings, actor=world.user, name=f"{number}.csv")
        place_file(actor=world.user, file=file, consignment=world.consignment, log=world.log)
    with CaptureQueriesContext(connection) as queries:
        delete_log(actor=world.user, log=world.log)
    assert len(queries) < 20


# --- What is tied to a consignment at the moment of its end ---------------------------------------


def _write_note(world: World) -> None:
    write_note(actor=world.user, client=world.client, title="N", consignment=world.consignment)


def _change_note(world: World) -> None:
    change_note(
        actor=world.user, note=world.note, title="N", content="", consignment=world.consignment
    )


def _place_file(world: World) -> None:
    place_file(actor=world.user, file=world.file, consignment=world.consignment, log=None)


def _accept_file(world: World) -> None:
    upload = Upload(name="gate.txt")
    upload.write(b"Seal 88412 intact.\n")
    upload.finish()
    upload.identify(kind=None)
    accept_files(
        actor=world.user, client=world.client, uploads=[upload], consignment=world.consignment
    )


@pytest.mark.parametrize("tie", [_write_note, _change_note, _place_file, _accept_file])
def test_nothing_is_tied_to_a_consignment_that_has_just_been_deleted(
    tie: Callable[[World], None], world: World
) -> None:
    delete_consignment(
        actor=world.user, consignment=Consignment.unscoped.get(pk=world.consignment.pk)
    )
    notes, began = Note.unscoped.count(), now(world)
    with pytest.raises(NotFound, match=r"^There is no such consignment\.$"):
        tie(world)
    # All constraints are met, also those that are looked at last.
    connection.check_constraints()
    assert (Note.unscoped.count(), now(world)) == (notes, began)
    assert not File.unscoped.live().exclude(pk=world.file.pk).exists()


def test_no_file_is_tied_to_a_log_that_has_just_been_deleted(world: World) -> None:
    delete_log(actor=world.user, log=Log.unscoped.get())
    with pytest.raises(NotFound, match=r"^There is no such log\.$"):
        place_file(actor=world.user, file=world.file, consignment=world.consignment, log=world.log)
    connection.check_constraints()


# --- At start ------------------------------------------------------------------------------------


def test_the_shipped_settings_pass() -> None:
    assert check_deletion_hooks(None) == []


@pytest.mark.parametrize(
    ("listed", "sentences"),
    [
        ([FILES], ["names 0 functions of “notes”"]),
        ([FILES, NOTES, FILES], ["names 2 functions of “files”"]),
        ([FILES, NOTES, "timba.accounts.services.add_user"], ["names 1 functions of “accounts”"]),
        ([FILES, NOTES, "timba.wakeup.notify"], ["names 1 functions of “timba.wakeup”"]),
        (
            [FILES, "timba.notes.services.unlink"],
            ['Module "timba.notes.services" does not define', "names 0 functions of “notes”"],
        ),
    ],
)
def test_a_noun_without_or_with_too_many_followers_is_an_error(
    listed: list[str], sentences: list[str], settings: Settings
) -> None:
    settings.CONSIGNMENT_DELETION_HOOKS = listed
    found = check_deletion_hooks(None)
    assert [error.id for error in found] == ["timba.E021"] * len(sentences)
    for error, sentence in zip(found, sentences, strict=True):
        assert sentence in error.msg
