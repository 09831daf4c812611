"""Photos are linked to the log that their name shows: to one that is certain, or to none."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import UserFactory
from tests.files.conftest import Receive, UseProcessors
from tests.files.runs import event_types
from tests.files.samples import photo
from timba.accounts.models import User
from timba.consignments.logs import add_log, change_log, delete_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import open_consignment
from timba.events.models import OutboxEvent
from timba.files import photos, processing
from timba.files.linking import find_link
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.schemas import serialize_file
from timba.files.services import link_file, process_again

pytestmark = pytest.mark.django_db

SIZE = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}

AddLog = Callable[..., Log]


@pytest.fixture(autouse=True)
def _only_photos(use_processors: UseProcessors) -> None:
    use_processors("timba.files.photos.PROCESSOR")


@pytest.fixture
def add(owner: User) -> AddLog:
    """Return a function that adds a log to the consignment of this name."""

    def add_to(barcode: str, load: str = "Lorry 7", actor: User = owner) -> Log:
        consignments = Consignment.unscoped.filter(client=actor.client, name=load)
        consignment = consignments.first() or open_consignment(
            actor=actor, client=actor.client, name=load, type="hardwood"
        )
        return add_log(actor=actor, consignment=consignment, barcode=barcode, **SIZE)

    return add_to


def place(file: File) -> tuple[int | None, int | None, str | None]:
    """Return the file's consignment and log, and what its result says of the link."""
    file.refresh_from_db()
    result: dict[str, Any] = serialize_file(file)["result"] or {}
    return file.consignment_id, file.log_id, result["linked_by"]


def test_a_photo_is_linked_to_the_log_in_its_name_and_to_its_consignment(
    settle: Receive, add: AddLog
) -> None:
    log = add("B-123")
    file = settle(photo(), name="IMG b-123 (1).jpeg")
    assert place(file) == (log.consignment_id, log.pk, "name")
    event = OutboxEvent.objects.filter(key=str(file.pk)).order_by("sequence").last()
    assert event is not None
    assert event.type == "timba.file.succeeded"
    told = json.loads(event.value)["file"]
    assert (told["log_id"], told["result"]["linked_by"]) == (log.pk, "name")


def test_another_clients_log_with_the_same_barcode_is_not_linked(
    settle: Receive, add: AddLog
) -> None:
    add("B-123", actor=UserFactory())
    assert place(settle(photo(), name="B-123.jpg")) == (None, None, None)


def test_a_photo_of_a_consignment_is_linked_to_logs_of_it_alone(
    receive: Receive, add: AddLog, owner: User
) -> None:
    other, own = add("B-123", "Lorry 8"), add("C-10")
    for name, expected in {
        "B-123.jpg": (own.consignment_id, None, None),
        "B-123 C-10.jpg": (own.consignment_id, own.pk, "name"),
    }.items():
        file = receive(photo(), name=name)
        link_file(actor=owner, file=file, consignment=own.consignment)
        process_file(file.pk)
        assert place(file) == expected
    assert place_of_new(receive, "B-123 C-10.jpg") == (None, None, None)
    assert place_of_new(receive, "B-123.jpg") == (other.consignment_id, other.pk, "name")


def place_of_new(receive: Receive, name: str) -> tuple[int | None, int | None, str | None]:
    file = receive(photo(), name=name)
    process_file(file.pk)
    return place(file)


def test_a_barcode_within_the_barcode_of_another_consignment_is_not_linked(
    receive: Receive, add: AddLog, owner: User
) -> None:
    add("B-12-3", "Lorry 8")
    log = add("B-12")
    file = receive(photo(), name="B-12-3.jpg")
    link_file(actor=owner, file=file, consignment=log.consignment)
    process_file(file.pk)
    assert place(file) == (log.consignment_id, None, None)


def test_older_logs_with_the_same_barcode_are_both_meant(settle: Receive, add: AddLog) -> None:
    log = add("B-123")
    older = add("X")
    Log.unscoped.filter(pk=older.pk).update(barcode="b-123", barcode_key=None)
    assert place(settle(photo(), name="B-123.jpg")) == (None, None, None)
    log.delete()
    assert place(settle(photo(), name="B-123.jpg")) == (older.consignment_id, older.pk, "name")


def test_a_log_that_a_user_has_given_stays(receive: Receive, add: AddLog, owner: User) -> None:
    add("B-123")
    given = add("C-10")
    file = receive(photo(), name="B-123.jpg")
    link_file(actor=owner, file=file, consignment=given.consignment, log=given)
    process_file(file.pk)
    assert place(file) == (given.consignment_id, given.pk, None)


def test_a_link_that_a_user_has_removed_does_not_come_back(
    settle: Receive, add: AddLog, owner: User
) -> None:
    log = add("B-123")
    for changes in ({"log": None}, {"consignment": None}):
        file = settle(photo(), name="B-123.jpg")
        link_file(actor=owner, file=file, **changes)
        removed = place(file)
        assert removed[1:] == (None, None)
        process_again(file)
        process_file(file.pk)
        assert place(file) == removed
    assert log.files.count() == 0


def test_a_user_takes_a_photo_out_of_its_consignment_before_it_is_read(
    receive: Receive, add: AddLog, owner: User
) -> None:
    add("B-123")
    file = receive(photo(), name="B-123.jpg")
    link_file(actor=owner, file=file, consignment=None)
    assert event_types(file) == ["created"]
    process_file(file.pk)
    assert place(file) == (None, None, None)


def test_a_user_confirms_a_link_that_was_found(settle: Receive, add: AddLog, owner: User) -> None:
    log = add("B-123")
    file = settle(photo(), name="B-123.jpg")
    link_file(actor=owner, file=file, log=log)
    assert place(file) == (log.consignment_id, log.pk, None)
    assert event_types(file) == ["created", "succeeded", "updated"]
    link_file(actor=owner, file=file, log=log)
    assert event_types(file) == ["created", "succeeded", "updated"]


def test_a_photo_that_is_processed_again_keeps_its_link(settle: Receive, add: AddLog) -> None:
    log = add("B-123")
    file = settle(photo(), name="B-123.jpg")
    process_again(file)
    process_file(file.pk)
    assert place(file) == (log.consignment_id, log.pk, "name")


def test_the_result_says_nothing_of_a_log_that_is_deleted(
    settle: Receive, add: AddLog, owner: User
) -> None:
    log = add("B-123")
    file = settle(photo(), name="B-123.jpg")
    delete_log(actor=owner, log=log)
    assert place(file) == (log.consignment_id, None, None)
    assert event_types(file) == ["created", "succeeded", "updated"]


def change_of(owner: User, change: str, file: File, log: Log) -> None:
    """Make a change after the log was found, and before the photo is settled."""
    match change:
        case "log deleted":
            delete_log(actor=owner, log=log)
        case "barcode changed":
            change_log(actor=owner, log=log, barcode="C-10")
        case "photo moved":
            load = open_consignment(actor=owner, client=owner.client, name="New", type="hardwood")
            link_file(actor=owner, file=file, consignment=load)
        case "log given":
            link_file(actor=owner, file=file, log=log)
        case "log refused":
            link_file(actor=owner, file=file, log=None)


@pytest.mark.parametrize(
    ("change", "linked", "claims"),
    [
        ("log deleted", None, 2),
        ("barcode changed", None, 2),
        ("photo moved", None, 2),
        ("log given", None, 1),
        ("log refused", None, 1),
    ],
)
def test_what_changes_while_a_photo_is_read_counts(
    change: str,
    linked: str | None,
    claims: int,
    receive: Receive,
    add: AddLog,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = add("B-123")
    file = receive(photo(), name="B-123.jpg")

    def find_and_change(row: File, **options: Any) -> Any:
        found = find_link(row, **options)
        monkeypatch.undo()
        change_of(owner, change, file, log)
        return found

    monkeypatch.setattr(photos, "find_link", find_and_change)
    process_file(file.pk)
    file.refresh_from_db()
    if claims == 2:
        assert file.status == "PENDING"
        processing.process_file(file.pk)
    assert place(file)[2] == linked
    assert (file.log_id == log.pk) == (change == "log given")
    assert file.status == "SUCCESS"
