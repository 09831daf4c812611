"""Writes of consignments and logs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.conftest import MakeUser
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment, Log
from timba.consignments.services import change_consignment, open_consignment
from timba.consignments.trash import delete_consignment
from timba.errors import Conflict, DomainError, Forbidden, Invalid, Lapsed, NotFound
from timba.events.models import OutboxEvent

SIZE: dict[str, Any] = {"length": Decimal(4), "breadth": Decimal(30), "height": Decimal(25)}


def open_one(actor: User, **fields: Any) -> Consignment:
    assert actor.client is not None
    return open_consignment(
        actor=actor, client=actor.client, **{"name": "AB-1", "type": "pinewood", **fields}
    )


@pytest.mark.django_db
def test_a_name_is_taken_once_in_a_client(make_user: MakeUser) -> None:
    manager = make_user("manager")
    open_one(manager)
    with pytest.raises(Conflict, match="^There is a consignment named “AB-1” already.$"):
        open_one(manager)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "A consignment has a name of 1 to 100 characters."),
        ({"name": "x" * 101}, "A consignment has a name of 1 to 100 characters."),
        ({"type": "plywood"}, "A consignment is hardwood or pinewood."),
        ({"vehicle_number": "x" * 31}, "A vehicle number has at most 30 characters."),
        ({"city_id": 0}, "A city's number is from 1 to 2147483647."),
        ({"city_id": 2**31}, "A city's number is from 1 to 2147483647."),
    ],
)
def test_an_invalid_consignment_is_rejected(
    make_user: MakeUser, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        open_one(make_user("owner"), **fields)
    assert str(refusal.value) == sentence


@pytest.mark.django_db
def test_a_changed_consignment_publishes_its_author(make_user: MakeUser) -> None:
    owner, manager = make_user("owner"), make_user("manager")
    opened = open_one(owner, vehicle_number="LV-1", city_id=7)
    changed = change_consignment(actor=manager, consignment=opened, name="AB-2", city_id=None)
    stored = Consignment.unscoped.get()
    assert (stored.name, stored.city_id, stored.vehicle_number) == ("AB-2", None, "LV-1")
    assert (stored.created_by, stored.updated_by) == (owner, manager)
    assert stored.updated_at == changed.updated_at > opened.updated_at
    assert OutboxEvent.objects.latest("sequence").type == "timba.consignment.updated"
    change_consignment(actor=manager, consignment=opened, updated_by=owner)
    assert Consignment.unscoped.get().updated_by == owner


@pytest.mark.django_db
def test_a_change_does_not_overwrite_concurrent_totals(make_user: MakeUser) -> None:
    owner = make_user("owner")
    opened = open_one(owner)
    add_log(actor=owner, consignment=opened, **SIZE)
    assert change_consignment(actor=owner, consignment=opened, name="AB-2").log_count == 1
    assert Consignment.unscoped.get().log_count == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"name": "AB-2"}, Conflict, "There is a consignment named “AB-2” already."),
        ({"name": " "}, Invalid, "A consignment has a name of 1 to 100 characters."),
        ({"type": "plywood"}, Invalid, "A consignment is hardwood or pinewood."),
    ],
)
def test_a_consignment_cannot_be_changed_to_invalid_values(
    make_user: MakeUser, changes: dict[str, Any], refusal: type[DomainError], sentence: str
) -> None:
    owner = make_user("owner")
    opened = open_one(owner)
    open_one(owner, name="AB-2")
    with pytest.raises(refusal) as refused:
        change_consignment(actor=owner, consignment=opened, **changes)
    assert str(refused.value) == sentence
    opened.refresh_from_db()
    assert (opened.name, opened.type) == ("AB-1", "pinewood")


@pytest.mark.django_db
@pytest.mark.parametrize("write", [change_consignment, delete_consignment])
def test_writing_consignments_needs_the_permission(
    make_user: MakeUser, write: Callable[..., Any]
) -> None:
    owner = make_user("owner")
    opened = open_one(owner)
    with pytest.raises(Forbidden, match=r"it may not write consignments\.$"):
        write(actor=make_user("operator"), consignment=opened)
    with pytest.raises(NotFound):
        write(actor=make_user("owner", client=ClientFactory()), consignment=opened)
    opened.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    with pytest.raises(Lapsed):
        write(actor=owner, consignment=opened)
    assert Consignment.unscoped.get().updated_at == opened.updated_at


@pytest.mark.django_db
def test_a_consignment_deleted_concurrently_is_not_found(make_user: MakeUser) -> None:
    owner = make_user("owner")
    opened = open_one(owner)
    delete_consignment(actor=owner, consignment=Consignment.unscoped.get())
    for write in (change_consignment, delete_consignment):
        with pytest.raises(NotFound, match="^There is no such consignment.$"):
            write(actor=owner, consignment=opened)
    # Its name is free again.
    open_one(owner)


@pytest.mark.django_db
def test_an_operator_adds_logs_but_opens_no_consignment(make_user: MakeUser) -> None:
    operator = make_user("operator")
    with pytest.raises(Forbidden):
        open_one(operator)
    log = add_log(actor=operator, consignment=open_one(make_user("manager")), **SIZE)
    assert log.volume == Decimal("0.300")


@pytest.mark.django_db
def test_another_clients_author_does_not_exist(make_user: MakeUser) -> None:
    stranger = make_user("owner", client=ClientFactory())
    owner = make_user("owner")
    with pytest.raises(NotFound, match="^There is no such user.$"):
        open_one(owner, created_by=stranger)
    opened = open_one(owner)
    with pytest.raises(NotFound, match="^There is no such user.$"):
        change_consignment(actor=owner, consignment=opened, updated_by=stranger)


@pytest.mark.django_db
def test_a_generated_barcode_skips_manual_ones(make_user: MakeUser) -> None:
    owner = make_user("owner")
    consignment = open_one(owner)
    add_log(actor=owner, consignment=consignment, barcode=f"TB-{owner.client_id}-2", **SIZE)
    made = [add_log(actor=owner, consignment=consignment, **SIZE).barcode for _ in range(2)]
    assert made == [f"TB-{owner.client_id}-1", f"TB-{owner.client_id}-3"]


@pytest.mark.django_db
def test_a_barcode_is_taken_once_in_a_client(make_user: MakeUser) -> None:
    owner = make_user("owner")
    consignment = open_one(owner)
    add_log(actor=owner, consignment=consignment, barcode="X", **SIZE)
    with pytest.raises(Conflict, match="^There is a log with the barcode “X” already.$"):
        add_log(actor=owner, consignment=consignment, barcode="X", **SIZE)
    consignment.refresh_from_db()
    assert (consignment.log_count, consignment.volume) == (1, Decimal("0.300"))


@pytest.mark.django_db
@pytest.mark.parametrize("measure", ["0", "-1", "NaN", "Infinity", "1.2345", "10000", "1e30"])
def test_impossible_measures_are_refused(make_user: MakeUser, measure: str) -> None:
    owner = make_user("owner")
    with pytest.raises(Invalid):
        add_log(actor=owner, consignment=open_one(owner), **{**SIZE, "breadth": Decimal(measure)})


@pytest.mark.django_db
@pytest.mark.parametrize("barcode", ["", "x" * 51, "a\tb", "a\nb"])
def test_a_barcode_is_printable_and_short(make_user: MakeUser, barcode: str) -> None:
    owner = make_user("owner")
    with pytest.raises(Invalid):
        add_log(actor=owner, consignment=open_one(owner), barcode=barcode, **SIZE)


@pytest.mark.django_db(transaction=True)
def test_totals_stay_exact_when_many_add_at_once(make_user: MakeUser) -> None:
    owner = make_user("owner")
    consignment = open_one(owner)

    def add_ten(_: int) -> None:
        try:
            for _ in range(10):
                add_log(actor=owner, consignment=consignment, **SIZE)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_ten, range(8)))
    consignment.refresh_from_db()
    assert (consignment.log_count, consignment.volume) == (80, Decimal("24.000"))
    assert Log.unscoped.values("barcode").distinct().count() == 80


@pytest.mark.django_db
def test_adding_a_log_publishes_a_log_event_only(make_user: MakeUser) -> None:
    owner = make_user("owner")
    add_log(actor=owner, consignment=open_one(owner), **SIZE)
    assert list(OutboxEvent.objects.values_list("type", "sequence")) == [
        ("timba.consignment.created", 1),
        ("timba.log.created", 2),
    ]
