"""“Clients, users, roles, consignments, logs”: what one door refuses, the other does alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from tests.contract.answers import assert_problem
from tests.contract.cargo_doors import RestDoor, TimbaDoor
from tests.factories import ClientFactory, Tenant
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.files.models import File
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

LOAD: Final = {"name": "Load 7", "type": "hardwood", "vehicle_number": "LV-1", "city_id": 7}
LOG: Final = {"barcode": "B-1", "length": 4, "breadth": 30, "height": 30}


@pytest.fixture(params=[TimbaDoor, RestDoor])
def kind(request: pytest.FixtureRequest) -> type[TimbaDoor]:
    """Return each kind of door in turn."""
    found: type[TimbaDoor] = request.param
    return found


@pytest.fixture
def door(kind: type[TimbaDoor], program: APIClient) -> TimbaDoor:
    """Return a door with the owner before it."""
    return kind(program)


# --- What is done --------------------------------------------------------------------------------


def test_a_consignments_life(door: TimbaDoor, make_user: MakeUser, as_user: AsUser) -> None:
    load = door.made(door.open(**LOAD))
    assert {name: load[name] for name in LOAD} == LOAD
    assert door.get("consignment", load["id"]).json() == load
    manager = make_user(role="manager")
    door.program = as_user(manager)
    changed = door.changed(door.change("consignment", load["id"], name="Load 8", city_id=None))
    assert changed["updated_at"] > load["updated_at"]
    assert changed == {
        **load,
        "name": "Load 8",
        "city_id": None,
        "updated_by": manager.pk,
        "updated_at": changed["updated_at"],
    }
    assert door.get("consignment", load["id"]).json() == changed
    assert door.gone(door.delete("consignment", load["id"]), "consignment")
    for answer in (
        door.get("consignment", load["id"]),
        door.change("consignment", load["id"], name="Load 9"),
        door.delete("consignment", load["id"]),
        door.add(load["id"], **LOG),
    ):
        assert_problem(answer, 404)


def test_a_logs_life_and_what_it_does_to_the_totals(door: TimbaDoor, load: Consignment) -> None:
    def totals() -> tuple[int, float]:
        now = door.get("consignment", load.pk).json()
        return now["log_count"], now["volume"]

    log = door.made(door.add(load.pk, **LOG))
    assert totals() == (1, 0.36)
    assert door.get("log", log["id"]).json() == log
    changed = door.changed(door.change("log", log["id"], barcode="B-2", length="8.5"))
    assert changed == {
        **log,
        "barcode": "B-2",
        "length": 8.5,
        "volume": 0.765,
        "updated_at": changed["updated_at"],
    }
    assert totals() == (1, 0.765)
    assert door.get("log", log["id"]).json() == changed
    assert door.gone(door.delete("log", log["id"]), "log")
    assert totals() == (0, 0)
    for answer in (
        door.get("log", log["id"]),
        door.change("log", log["id"], length=1),
        door.delete("log", log["id"]),
    ):
        assert_problem(answer, 404)


def test_deleting_a_consignment_deletes_its_logs_and_unlinks_its_files_and_notes(
    kind: type[TimbaDoor], tenant: Tenant, as_user: AsUser
) -> None:
    door = kind(as_user(tenant.user))
    assert door.gone(door.delete("consignment", tenant.consignment.pk), "consignment")
    assert_problem(door.get("log", tenant.log.pk), 404)
    file = door.program.get(f"/api/files/{tenant.file.pk}/").json()
    assert (file["consignment_id"], file["log_id"]) == (None, None)
    assert door.program.get(f"/api/notes/{tenant.note.pk}/").json()["consignment_id"] is None
    assert (File.unscoped.count(), Note.unscoped.count()) == (1, 1)
    # Adding, changing and deleting are told in the history, and what was let go is, too.
    events = door.program.get("/api/events/").json()["events"]
    assert [event["type"] for event in events[-4:]] == [
        "timba.file.updated",
        "timba.note.updated",
        "timba.log.deleted",
        "timba.consignment.deleted",
    ]


def test_who_does_it_may_be_said(door: TimbaDoor, owner: User, make_user: MakeUser) -> None:
    colleague = make_user(role="viewer")
    load = door.made(door.open(**LOAD, user_id=colleague.pk))
    assert (load["created_by"], load["updated_by"]) == (colleague.pk, colleague.pk)
    load = door.changed(door.change("consignment", load["id"], name="Load 8"))
    assert (load["created_by"], load["updated_by"]) == (colleague.pk, owner.pk)
    load = door.changed(door.change("consignment", load["id"], user_id=colleague.pk))
    assert load["updated_by"] == colleague.pk
    foreign = make_user(client=ClientFactory()).pk
    for user_id in (foreign, foreign + 1000):
        assert_problem(door.open(**LOAD, user_id=user_id), 404)
        assert_problem(door.change("consignment", load["id"], user_id=user_id), 404)


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", None),
        ("type", "oak"),
        ("type", None),
        ("vehicle_number", "x" * 31),
        ("vehicle_number", None),
        ("city_id", 0),
        ("city_id", 2**31),
        ("user_id", "x"),
        ("client_id", "x"),
    ],
)
def test_a_consignment_that_is_not_possible_is_400(
    field: str, value: Any, door: TimbaDoor, load: Consignment
) -> None:
    for answer in (
        door.open(**{**LOAD, field: value}),
        door.change("consignment", load.pk, **{field: value}),
    ):
        assert assert_problem(answer, 400)["errors"].keys() == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("barcode", ""),
        ("barcode", "x" * 51),
        ("barcode", "a\tb"),
        ("length", 0),
        ("breadth", "-1"),
        ("height", "1.2345"),
        ("length", 10_000),
        ("length", None),
        ("breadth", "NaN"),
        ("height", True),
    ],
)
def test_a_log_that_is_not_possible_is_400(
    field: str, value: Any, door: TimbaDoor, load: Consignment
) -> None:
    log = door.made(door.add(load.pk, **LOG))
    for answer in (
        door.add(load.pk, **{**LOG, "barcode": "B-2", field: value}),
        door.change("log", log["id"], **{field: value}),
    ):
        assert assert_problem(answer, 400)["errors"].keys() == {field}
    assert door.get("log", log["id"]).json() == log


def test_a_barcode_is_made_for_a_new_log_and_never_taken_from_one(
    door: TimbaDoor, load: Consignment
) -> None:
    size = {name: LOG[name] for name in ("length", "breadth", "height")}
    log = door.made(door.add(load.pk, **size, barcode=None))
    assert log["barcode"] == f"TB-{load.client_id}-1"
    said = assert_problem(door.change("log", log["id"], barcode=None), 400)
    assert said["errors"].keys() == {"barcode"}


def test_names_and_barcodes_that_are_taken_in_that_client_are_409(
    door: TimbaDoor, kind: type[TimbaDoor], make_user: MakeUser, as_user: AsUser
) -> None:
    first = door.made(door.open(**LOAD))
    second = door.made(door.open(**{**LOAD, "name": "Load 8"}))
    door.made(door.add(first["id"], **LOG))
    log = door.made(door.add(second["id"], **{**LOG, "barcode": "B-2"}))
    for answer, sentence in (
        (door.open(**LOAD), "There is a consignment named “Load 7” already."),
        (
            door.change("consignment", second["id"], name="Load 7"),
            "There is a consignment named “Load 7” already.",
        ),
        (door.add(second["id"], **LOG), "There is a log with the barcode “B-1” already."),
        (
            door.change("log", log["id"], barcode="B-1"),
            "There is a log with the barcode “B-1” already.",
        ),
    ):
        assert assert_problem(answer, 409)["detail"] == sentence
    # Keeping what it has is no conflict, nor is what another client has.
    door.changed(door.change("consignment", first["id"], name="Load 7"))
    door.changed(door.change("log", log["id"], barcode="B-2"))
    other = kind(as_user(make_user(client=ClientFactory())))
    other.made(other.add(other.made(other.open(**LOAD))["id"], **LOG))


@pytest.mark.parametrize(
    ("role", "loads", "logs"), [("manager", 201, 201), ("operator", 403, 201), ("viewer", 403, 403)]
)
def test_the_role_decides_what_may_be_written(
    role: str,
    loads: int,
    logs: int,
    kind: type[TimbaDoor],
    load: Consignment,
    make_user: MakeUser,
    as_user: AsUser,
) -> None:
    log = Log.objects.create(client=load.client, consignment=load, volume=1, **LOG)
    door = kind(as_user(make_user(role=role)))
    assert door.open(**LOAD).status_code == loads
    assert door.add(load.pk, **{**LOG, "barcode": "B-2"}).status_code == logs
    for noun, row_id, allowed in (("log", log.pk, logs), ("consignment", load.pk, loads)):
        assert door.get(noun, row_id).status_code == 200
        for answer in (door.change(noun, row_id), door.delete(noun, row_id)):
            assert (answer.status_code == 403) == (allowed == 403)


def test_writes_of_a_lapsed_client_are_402_and_reads_go_on(
    door: TimbaDoor, owner: User, staff: User, kind: type[TimbaDoor], as_user: AsUser
) -> None:
    load = door.made(door.open(**LOAD))
    log = door.made(door.add(load["id"], **LOG))
    assert owner.client is not None
    owner.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    owner.client.subscription.save()
    for answer in (
        door.open(**{**LOAD, "name": "Load 8"}),
        door.add(load["id"], **{**LOG, "barcode": "B-2"}),
        door.change("consignment", load["id"], name="Load 8"),
        door.change("log", log["id"], length=1),
        door.delete("log", log["id"]),
        door.delete("consignment", load["id"]),
    ):
        assert_problem(answer, 402)
    assert door.get("consignment", load["id"]).status_code == 200
    assert door.get("log", log["id"]).status_code == 200
    platform = kind(as_user(staff))
    assert platform.changed(platform.change("log", log["id"], length=1))["length"] == 1


# --- Whose it is ---------------------------------------------------------------------------------


def test_foreign_and_absent_are_answered_alike_whatever_is_asked(
    kind: type[TimbaDoor], tenant: Tenant, make_user: MakeUser, as_user: AsUser
) -> None:
    door = kind(as_user(make_user()))
    for noun, known in (("consignment", tenant.consignment.pk), ("log", tenant.log.pk)):
        absent = 8_000_001
        for foreign, none in (
            (door.get(noun, known), door.get(noun, absent)),
            (door.change(noun, known, name="x" * 999), door.change(noun, absent, name="x" * 999)),
            (door.delete(noun, known), door.delete(noun, absent)),
        ):
            assert_problem(foreign, 404)
            assert foreign.content == none.content
    for body in (LOG, {}):
        foreign, none = (door.add(pk, **body) for pk in (tenant.consignment.pk, 8_000_001))
        assert foreign.status_code == (400 if not body and kind is TimbaDoor else 404)
        assert foreign.content == none.content


def test_a_consignment_stays_with_its_client_and_a_log_in_its_consignment(
    kind: type[TimbaDoor], tenant: Tenant, staff: User, as_user: AsUser
) -> None:
    door, elsewhere = kind(as_user(staff)), ClientFactory()
    load, log = tenant.consignment, tenant.log
    other = Consignment.objects.create(client=tenant.client, name="Other", type="pinewood")
    foreign = Consignment.objects.create(client=elsewhere, name="Foreign", type="pinewood")
    for answer, field in (
        (door.change("consignment", load.pk, client_id=elsewhere.pk), "client_id"),
        (door.change("log", log.pk, client_id=elsewhere.pk), "client_id"),
        (door.change("log", log.pk, consignment_id=other.pk), "consignment_id"),
        (door.change("log", log.pk, consignment_id="x"), "consignment_id"),
    ):
        assert assert_problem(answer, 400)["errors"].keys() == {field}
    member = kind(as_user(tenant.user))
    for pk in (foreign.pk, 8_000_001):
        assert_problem(member.change("log", log.pk, consignment_id=pk), 404)
    for client_id in (elsewhere.pk, 8_000_001):
        assert_problem(member.change("log", log.pk, client_id=client_id), 404)
        assert_problem(member.change("consignment", load.pk, client_id=client_id), 404)
    same = {"client_id": tenant.client.pk, "consignment_id": load.pk, "length": 1}
    assert member.changed(member.change("log", log.pk, **same))["length"] == 1
