"""Concurrent writes of a consignment or barcode: the second waits, and sees the first's effect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from tests.conftest import MakeUser
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import User
from timba.consignments import trash as trash_module
from timba.consignments.logs import add_log, change_log, delete_log
from timba.consignments.models import Consignment, DeletedConsignment, Log
from timba.consignments.services import open_consignment
from timba.consignments.trash import delete_consignment, restore_consignment
from timba.errors import Conflict, NotFound
from timba.events.models import OutboxEvent
from timba.files.services import link_file
from timba.notes.models import Note
from timba.notes.services import write_note

pytestmark = pytest.mark.django_db(transaction=True)

SIZE: dict[str, Any] = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(30)}
# By now the second one waits for the first.
A_MOMENT = 0.3


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user()


def opened(owner: User, name: str = "Lorry 7") -> Consignment:
    assert owner.client is not None
    return open_consignment(actor=owner, client=owner.client, name=name, type="hardwood")


def while_another(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Do `first` and hold it uncommitted while `second` begins; return what that came to."""
    outcome: list[Any] = []
    begun = threading.Event()

    def run() -> None:
        connection.ensure_connection()
        begun.set()
        try:
            outcome.append(second())
        except Exception as failure:  # noqa: BLE001 - for the test to judge
            outcome.append(failure)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        assert begun.wait(60)
        time.sleep(A_MOMENT)
        assert not outcome
    thread.join(60)
    return outcome[0]


def test_no_barcode_is_generated_twice(owner: User) -> None:
    one, other = opened(owner), opened(owner, "Lorry 8")
    # What counts them is there already.
    add_log(actor=owner, consignment=one, **SIZE)
    log = while_another(
        lambda: add_log(actor=owner, consignment=one, **SIZE),
        lambda: add_log(actor=owner, consignment=other, **SIZE),
    )
    assert log.barcode == f"TB-{owner.client_id}-3"


def test_no_barcode_is_generated_that_is_being_entered_manually(owner: User) -> None:
    one, other = opened(owner), opened(owner, "Lorry 8")
    typed = f"TB-{owner.client_id}-1"
    log = while_another(
        lambda: add_log(actor=owner, consignment=one, barcode=typed, **SIZE),
        lambda: add_log(actor=owner, consignment=other, **SIZE),
    )
    assert log.barcode == f"TB-{owner.client_id}-2"


def test_no_barcode_is_generated_that_a_log_is_being_changed_to(owner: User) -> None:
    one, other = opened(owner), opened(owner, "Lorry 8")
    given = add_log(actor=owner, consignment=one, barcode="A", **SIZE)
    log = while_another(
        lambda: change_log(actor=owner, log=given, barcode=f"TB-{owner.client_id}-1"),
        lambda: add_log(actor=owner, consignment=other, **SIZE),
    )
    assert log.barcode == f"TB-{owner.client_id}-2"


def test_the_second_of_two_equal_manual_barcodes_is_rejected(owner: User) -> None:
    one, other = opened(owner), opened(owner, "Lorry 8")
    refusal = while_another(
        lambda: add_log(actor=owner, consignment=one, barcode="A", **SIZE),
        lambda: add_log(actor=owner, consignment=other, barcode="A", **SIZE),
    )
    assert isinstance(refusal, Conflict)
    other.refresh_from_db()
    assert (other.log_count, other.volume) == (0, 0)


@pytest.mark.parametrize("write", ["add_log", "change_log", "write_note", "link_file"])
def test_a_consignment_that_is_being_deleted_is_not_found(write: str, owner: User) -> None:
    assert owner.client is not None
    load = opened(owner)
    log = add_log(actor=owner, consignment=load, **SIZE)
    file = settle_readings("1,1,2026-01-01T00:00:00Z\n", actor=owner)
    writes: dict[str, Callable[[], Any]] = {
        "add_log": lambda: add_log(actor=owner, consignment=load, **SIZE),
        "change_log": lambda: change_log(actor=owner, log=log, length=Decimal(1)),
        "write_note": lambda: write_note(
            actor=owner, client=owner.client, title="N", consignment=load
        ),
        "link_file": lambda: link_file(actor=owner, file=file, consignment=None, log=log),
    }
    gone = Consignment.unscoped.get()
    outcome = while_another(
        lambda: delete_consignment(actor=owner, consignment=gone), writes[write]
    )
    assert isinstance(outcome, NotFound)
    assert not Log.unscoped.exists()
    assert OutboxEvent.objects.latest("sequence").type == "timba.consignment.deleted"


def test_a_deletion_waits_for_links_in_progress(owner: User) -> None:
    load = opened(owner)

    def tie() -> None:
        write_note(actor=owner, client=load.client, title="N", consignment=load)

    assert while_another(tie, lambda: delete_consignment(actor=owner, consignment=load)) is None
    assert Note.unscoped.get().consignment_id is None
    types = list(OutboxEvent.objects.order_by("sequence").values_list("type", flat=True))
    assert types[-3:] == [
        "timba.note.created",
        "timba.note.updated",
        "timba.consignment.deleted",
    ]


# --- Restorations --------------------------------------------------------------------------------


def deleted(owner: User, load: Consignment) -> DeletedConsignment:
    delete_consignment(actor=owner, consignment=load)
    return DeletedConsignment.unscoped.select_related("client__subscription").get(pk=load.pk)


def test_the_second_of_two_restorations_finds_nothing(owner: User) -> None:
    load = opened(owner)
    add_log(actor=owner, consignment=load, **SIZE)
    trash = deleted(owner, load)
    outcome = while_another(
        lambda: restore_consignment(actor=owner, deleted=trash),
        lambda: restore_consignment(actor=owner, deleted=trash),
    )
    assert isinstance(outcome, NotFound)
    assert (Consignment.unscoped.get().log_count, Log.unscoped.count()) == (1, 1)
    types = OutboxEvent.objects.filter(type="timba.consignment.created")
    assert types.count() == 2


def test_a_consignment_that_is_being_restored_is_not_purged(
    owner: User, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 0
    load = opened(owner)
    add_log(actor=owner, consignment=load, **SIZE)
    trash = deleted(owner, load)
    restore = while_another(
        lambda: restore_consignment(actor=owner, deleted=trash), trash_module.purge_expired
    )
    assert restore is None
    assert (Consignment.unscoped.get().log_count, Log.unscoped.count()) == (1, 1)


def test_a_consignment_that_is_being_purged_is_not_restored(
    owner: User, settings: Settings
) -> None:
    settings.TIMBA_TRASH_DAYS = 0
    load = opened(owner)
    add_log(actor=owner, consignment=load, **SIZE)
    trash = deleted(owner, load)
    outcome = while_another(
        trash_module.purge_expired, lambda: restore_consignment(actor=owner, deleted=trash)
    )
    assert isinstance(outcome, NotFound)
    assert not Log.unscoped.exists()


@pytest.mark.parametrize("taken", ["name", "barcode"])
def test_what_is_being_taken_is_not_restored(taken: str, owner: User) -> None:
    load, other = opened(owner), opened(owner, "Lorry 8")
    add_log(actor=owner, consignment=load, barcode="A", **SIZE)
    trash = deleted(owner, load)
    takes: dict[str, Callable[[], Any]] = {
        "name": lambda: opened(owner),
        "barcode": lambda: add_log(actor=owner, consignment=other, barcode="a", **SIZE),
    }
    refusal = while_another(takes[taken], lambda: restore_consignment(actor=owner, deleted=trash))
    assert isinstance(refusal, Conflict)
    assert DeletedConsignment.unscoped.get().logs.count() == 1
    assert not Consignment.unscoped.filter(pk=load.pk).exists()


def test_no_barcode_is_generated_that_is_being_restored(owner: User) -> None:
    load, other = opened(owner), opened(owner, "Lorry 8")
    typed = f"TB-{owner.client_id}-1"
    add_log(actor=owner, consignment=load, barcode=typed, **SIZE)
    trash = deleted(owner, load)
    log = while_another(
        lambda: restore_consignment(actor=owner, deleted=trash),
        lambda: add_log(actor=owner, consignment=other, **SIZE),
    )
    assert log.barcode == f"TB-{owner.client_id}-2"


def test_concurrent_deletions_of_a_log_update_the_totals_once(owner: User) -> None:
    load = opened(owner)
    log, _ = (add_log(actor=owner, consignment=load, **SIZE) for _ in range(2))
    mine = Log.unscoped.get(pk=log.pk)
    outcome = while_another(
        lambda: delete_log(actor=owner, log=mine), lambda: delete_log(actor=owner, log=log)
    )
    assert isinstance(outcome, NotFound)
    load.refresh_from_db()
    assert (load.log_count, load.volume) == (1, Decimal("0.360"))
