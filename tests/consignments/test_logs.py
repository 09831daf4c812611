"""Adding, changing and deleting logs keeps the totals exact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.barcodes import find_logs_by_key
from timba.consignments.logs import NewLog, add_log, add_logs, change_log, delete_log
from timba.consignments.measures import MAX_TOTAL_VOLUME
from timba.consignments.models import BarcodeCounter, Consignment, Log
from timba.consignments.trash import delete_consignment
from timba.errors import Conflict, DomainError, Forbidden, Invalid, Lapsed, NotFound
from timba.events.models import OutboxEvent

pytestmark = pytest.mark.django_db

SIZE: dict[str, Any] = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def load(owner: User) -> Consignment:
    return Consignment.objects.create(client=owner.client, name="Lorry 7", type="hardwood")


def totals(load: Consignment) -> tuple[int, Decimal]:
    load.refresh_from_db()
    return load.log_count, load.volume


def told() -> list[tuple[str, str]]:
    """Return the action and the barcode of every log event, in order."""
    values = [orjson.loads(event.value) for event in OutboxEvent.objects.filter(topic="log_events")]
    return [(value["action"], value["log"]["barcode"]) for value in values]


def new(*barcodes: str | None) -> list[NewLog]:
    return [NewLog(barcode=barcode, **SIZE) for barcode in barcodes]


# --- Many at once --------------------------------------------------------------------------------


def test_logs_of_a_sheet_are_added_in_order(owner: User, load: Consignment) -> None:
    logs = add_logs(actor=owner, consignment=load, logs=new("B", None, "A", None))
    barcodes = ["B", f"TB-{owner.client_id}-1", "A", f"TB-{owner.client_id}-2"]
    assert [log.barcode for log in logs] == barcodes
    assert list(load.logs.values_list("pk", "barcode")) == [(log.pk, log.barcode) for log in logs]
    assert totals(load) == (4, Decimal("1.200"))
    assert (load.updated_by, told()) == (owner, [("create", barcode) for barcode in barcodes])


def test_an_empty_sheet_adds_nothing(owner: User, load: Consignment) -> None:
    assert add_logs(actor=owner, consignment=load, logs=[]) == []
    assert (totals(load), told()) == ((0, 0), [])


@pytest.mark.parametrize(
    ("barcodes", "sentence"),
    [
        (("A", "B", "A"), "The barcode “A” is given twice: a log has one of its own."),
        (("A", "TAKEN"), "There is a log with the barcode “TAKEN” already."),
        (("A", "x" * 51), "A barcode has 1 to 50 printable characters."),
    ],
)
def test_all_logs_of_a_sheet_are_added_or_none(
    barcodes: tuple[str], sentence: str, owner: User, load: Consignment
) -> None:
    add_log(actor=owner, consignment=load, barcode="TAKEN", **SIZE)
    with pytest.raises((Conflict, Invalid)) as refusal:
        add_logs(actor=owner, consignment=load, logs=new(None, *barcodes))
    assert str(refusal.value) == sentence
    assert totals(load) == (1, Decimal("0.300"))
    assert not BarcodeCounter.objects.exists()


def test_a_sheet_belongs_to_the_transaction_around_it(owner: User, load: Consignment) -> None:
    with transaction.atomic():
        add_logs(actor=owner, consignment=load, logs=new("A", None))
        assert totals(load) == (2, Decimal("0.600"))
        transaction.set_rollback(True)
    assert (totals(load), told()) == ((0, 0), [])


def test_generated_barcodes_skip_those_of_their_sheet(owner: User, load: Consignment) -> None:
    by_hand = [f"TB-{owner.client_id}-{number}" for number in (2, 3, 5)]
    logs = add_logs(actor=owner, consignment=load, logs=new(None, *by_hand, None, None))
    assert [log.barcode for log in logs if log.barcode not in by_hand] == [
        f"TB-{owner.client_id}-{number}" for number in (1, 4, 6)
    ]


def test_many_taken_numbers_are_skipped_in_a_few_queries(owner: User, load: Consignment) -> None:
    taken = [f"TB-{owner.client_id}-{number}" for number in range(1, 1001)]
    add_logs(actor=owner, consignment=load, logs=new(*taken))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        log = add_log(actor=owner, consignment=load, **SIZE)
    assert log.barcode == f"TB-{owner.client_id}-1001"
    assert len(queries) < 40


def test_a_sheets_queries_grow_with_its_chunks_and_not_with_its_rows(
    owner: User, load: Consignment
) -> None:
    with CaptureQueriesContext(connection) as queries:
        add_logs(actor=owner, consignment=load, logs=new(*map(str, range(400))))
    assert len(queries) < 40


def test_ids_are_known_if_the_database_does_not_return_them(
    owner: User, load: Consignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    logs = add_logs(actor=owner, consignment=load, logs=new("B", None, "A"))
    assert [log.pk for log in logs] == list(load.logs.values_list("pk", flat=True))
    keys = OutboxEvent.objects.order_by("sequence").values_list("key", flat=True)
    assert list(keys) == [str(log.pk) for log in logs]


def test_logs_are_found_by_their_keys_within_their_client(
    owner: User, load: Consignment, make_user: MakeUser
) -> None:
    stranger = make_user(client=ClientFactory())
    assert owner.client is not None
    theirs = Consignment.objects.create(client=stranger.client, name="Theirs", type="hardwood")
    add_logs(actor=stranger, consignment=theirs, logs=new("A", "C"))
    barcodes = [str(number) for number in range(600)]
    logs = add_logs(actor=owner, consignment=load, logs=new(*barcodes, "A"))
    found = find_logs_by_key(owner.client_id, [*barcodes, "a", "A", "c"])
    assert found == {log.barcode.lower(): log for log in logs}


# --- Corrected -----------------------------------------------------------------------------------


def test_a_changed_log_updates_the_totals(owner: User, load: Consignment) -> None:
    first, _ = add_logs(actor=owner, consignment=load, logs=new("A", "B"))
    log = change_log(actor=owner, log=first, barcode="C", length=Decimal(8))
    assert (log.barcode, log.volume, log.breadth) == ("C", Decimal("0.600"), SIZE["breadth"])
    assert log.updated_at > first.updated_at
    assert totals(load) == (2, Decimal("0.900"))
    assert told()[-1] == ("update", "C")


def test_every_write_of_a_log_sets_updated_by_of_its_consignment(
    owner: User, load: Consignment, make_user: MakeUser
) -> None:
    adder, changer, deleter = (make_user(role="operator") for _ in range(3))
    before = load.updated_at
    log = add_log(actor=adder, consignment=load, **SIZE)
    for actor, write in (
        (adder, lambda: None),
        (changer, lambda: change_log(actor=changer, log=log, length=Decimal(1))),
        (deleter, lambda: delete_log(actor=deleter, log=log)),
    ):
        write()
        load.refresh_from_db()
        assert load.updated_by == actor
        assert load.updated_at > before
        before = load.updated_at


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"barcode": "B"}, "There is a log with the barcode “B” already."),
        ({"barcode": ""}, "A barcode has 1 to 50 printable characters."),
        ({"height": Decimal(0)}, "Give a number greater than 0."),
        ({"length": Decimal("1.0005")}, "Give at most 3 decimals and 4 digits before them."),
    ],
)
def test_a_log_cannot_be_changed_to_invalid_values(
    changes: dict[str, Any], sentence: str, owner: User, load: Consignment
) -> None:
    log, _ = add_logs(actor=owner, consignment=load, logs=new("A", "B"))
    with pytest.raises((Conflict, Invalid)) as refusal:
        change_log(actor=owner, log=log, **changes)
    assert str(refusal.value) == sentence
    log.refresh_from_db()
    assert (log.barcode, log.height, totals(load)) == ("A", SIZE["height"], (2, Decimal("0.600")))


# --- Deleted -------------------------------------------------------------------------------------


def test_a_deleted_log_leaves_the_totals_and_publishes_its_last_state(
    owner: User, load: Consignment
) -> None:
    log, _ = add_logs(actor=owner, consignment=load, logs=new("A", "B"))
    delete_log(actor=owner, log=log)
    assert list(load.logs.values_list("barcode", flat=True)) == ["B"]
    assert totals(load) == (1, Decimal("0.300"))
    assert told()[-1] == ("delete", "A")
    # The barcode is free again.
    add_log(actor=owner, consignment=load, barcode="A", **SIZE)


@pytest.mark.parametrize("gone", ["log", "consignment"])
def test_a_log_deleted_concurrently_is_not_found(gone: str, owner: User, load: Consignment) -> None:
    log = add_log(actor=owner, consignment=load, **SIZE)
    if gone == "log":
        delete_log(actor=owner, log=Log.unscoped.get())
    else:
        delete_consignment(actor=owner, consignment=load)
    with pytest.raises(NotFound, match=r"^There is no such log\.$"):
        change_log(actor=owner, log=log, length=Decimal(1))
    with pytest.raises(NotFound, match=r"^There is no such log\.$"):
        delete_log(actor=owner, log=log)


def test_nothing_is_added_to_a_consignment_deleted_concurrently(
    owner: User, load: Consignment
) -> None:
    delete_consignment(actor=owner, consignment=Consignment.unscoped.get())
    with pytest.raises(NotFound, match=r"^There is no such consignment\.$"):
        add_log(actor=owner, consignment=load, **SIZE)


# --- What cannot be ------------------------------------------------------------------------------


def test_a_consignment_is_full_before_its_column_is(owner: User, load: Consignment) -> None:
    small = add_log(actor=owner, consignment=load, **SIZE)
    Consignment.unscoped.update(volume=MAX_TOTAL_VOLUME - Decimal("0.300"))
    add_log(actor=owner, consignment=load, **SIZE)
    for write in (
        lambda: add_log(actor=owner, consignment=load, **SIZE),
        lambda: change_log(actor=owner, log=small, length=Decimal(5)),
    ):
        with pytest.raises(Conflict, match=r"^A consignment holds at most 99,999,999,999\.999 m³"):
            write()
    assert totals(load) == (2, MAX_TOTAL_VOLUME)


@pytest.mark.parametrize("write", ["add_log", "add_logs", "change_log", "delete_log"])
@pytest.mark.parametrize(
    ("who", "refusal"), [("viewer", Forbidden), ("stranger", NotFound), ("lapsed", Lapsed)]
)
def test_writing_logs_needs_the_permission(
    write: str,
    who: str,
    refusal: type[DomainError],
    owner: User,
    load: Consignment,
    make_user: MakeUser,
) -> None:
    log = add_log(actor=owner, consignment=load, **SIZE)
    actor = make_user("viewer") if who == "viewer" else make_user()
    if who == "stranger":
        actor = make_user(client=ClientFactory())
    if who == "lapsed":
        log.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
        log.client.subscription.save()
        load.client.subscription.refresh_from_db()
    writes = {
        "add_log": lambda: add_log(actor=actor, consignment=load, **SIZE),
        "add_logs": lambda: add_logs(actor=actor, consignment=load, logs=new("A")),
        "change_log": lambda: change_log(actor=actor, log=log, length=Decimal(1)),
        "delete_log": lambda: delete_log(actor=actor, log=log),
    }
    with pytest.raises(refusal):
        writes[write]()
    assert totals(load) == (1, Decimal("0.300"))
