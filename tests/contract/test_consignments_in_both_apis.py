"""“Clients, users, roles, consignments, logs”: `/timba/` and `/api/` behave alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem, envelope
from tests.factories import ClientFactory, Tenant
from timba.accounts.models import User
from timba.consignments.models import Consignment, Log
from timba.files.models import File
from timba.notes.models import Note

pytestmark = pytest.mark.django_db

CONSIGNMENT: Final = {"name": "Load 7", "type": "hardwood", "vehicle_number": "LV-1", "city_id": 7}
LOG: Final = {"barcode": "B-1", "length": 4, "breadth": 30, "height": 30}

PLURALS: Final = {"consignment": "consignments", "log": "logs"}


class TimbaApi:
    """`/timba/consignment` and `/timba/log`; an envelope surrounds each written row."""

    def __init__(self, api_client: APIClient) -> None:
        self.api_client = api_client

    def create_consignment(self, **fields: Any) -> Any:
        return self.api_client.put("/timba/consignment", fields)

    def add_log(self, consignment_id: int, **fields: Any) -> Any:
        return self.api_client.put("/timba/log", {"consignment_id": consignment_id, **fields})

    def get(self, noun: str, row_id: int) -> Any:
        return self.api_client.get(f"/timba/{noun}", {"id": row_id})

    def update(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.api_client.patch(f"/timba/{noun}", {f"{noun}_id": row_id, **fields})

    def delete(self, noun: str, row_id: int) -> Any:
        return self.api_client.delete(f"/timba/{noun}?{noun}_id={row_id}")

    def created(self, response: Any) -> dict[str, Any]:
        return self.row_of(response, 201)

    def updated(self, response: Any) -> dict[str, Any]:
        return self.row_of(response, 200)

    def row_of(self, response: Any, status: int) -> dict[str, Any]:
        """Check the status of the response, and return the row in it."""
        return envelope(response, status)

    def is_deleted(self, response: Any, noun: str) -> bool:
        message = {"message": f"The {noun} has been deleted."}
        return bool((response.status_code, response.json()) == (200, message))


class RestApi(TimbaApi):
    """`/api/consignments/` and `/api/logs/`; rows are bare."""

    def create_consignment(self, **fields: Any) -> Any:
        return self.api_client.post("/api/consignments/", fields)

    def add_log(self, consignment_id: int, **fields: Any) -> Any:
        return self.api_client.post(f"/api/consignments/{consignment_id}/logs/", fields)

    def get(self, noun: str, row_id: int) -> Any:
        return self.api_client.get(f"/api/{PLURALS[noun]}/{row_id}/")

    def update(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.api_client.patch(f"/api/{PLURALS[noun]}/{row_id}/", fields)

    def delete(self, noun: str, row_id: int) -> Any:
        return self.api_client.delete(f"/api/{PLURALS[noun]}/{row_id}/")

    def row_of(self, response: Any, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.content
        return dict(response.json())

    def is_deleted(self, response: Any, noun: str) -> bool:
        return bool((response.status_code, response.content) == (204, b""))


@pytest.fixture(params=[TimbaApi, RestApi])
def api_class(request: pytest.FixtureRequest) -> type[TimbaApi]:
    """Return the class of each API in turn."""
    api_class: type[TimbaApi] = request.param
    return api_class


@pytest.fixture
def api(api_class: type[TimbaApi], api_client: APIClient) -> TimbaApi:
    """Return the API, called by the owner."""
    return api_class(api_client)


# --- Successful requests -------------------------------------------------------------------------


def test_a_consignment_is_created_read_updated_and_deleted(
    api: TimbaApi, make_user: MakeUser
) -> None:
    consignment = api.created(api.create_consignment(**CONSIGNMENT))
    assert {name: consignment[name] for name in CONSIGNMENT} == CONSIGNMENT
    assert api.get("consignment", consignment["id"]).json() == consignment
    manager = make_user(role="manager")
    api.api_client = api_client_of(manager)
    updated = api.updated(api.update("consignment", consignment["id"], name="Load 8", city_id=None))
    assert updated["updated_at"] > consignment["updated_at"]
    assert updated == {
        **consignment,
        "name": "Load 8",
        "city_id": None,
        "updated_by": manager.pk,
        "updated_at": updated["updated_at"],
    }
    assert api.get("consignment", consignment["id"]).json() == updated
    assert api.is_deleted(api.delete("consignment", consignment["id"]), "consignment")
    for response in (
        api.get("consignment", consignment["id"]),
        api.update("consignment", consignment["id"], name="Load 9"),
        api.delete("consignment", consignment["id"]),
        api.add_log(consignment["id"], **LOG),
    ):
        assert_problem(response, 404)


def test_a_log_is_created_read_updated_and_deleted_and_changes_the_totals(
    api: TimbaApi, consignment: Consignment
) -> None:
    def totals() -> tuple[int, float]:
        now = api.get("consignment", consignment.pk).json()
        return now["log_count"], now["volume"]

    log = api.created(api.add_log(consignment.pk, **LOG))
    assert totals() == (1, 0.36)
    assert api.get("log", log["id"]).json() == log
    updated = api.updated(api.update("log", log["id"], barcode="B-2", length="8.5"))
    assert updated == {
        **log,
        "barcode": "B-2",
        "length": 8.5,
        "volume": 0.765,
        "updated_at": updated["updated_at"],
    }
    assert totals() == (1, 0.765)
    assert api.get("log", log["id"]).json() == updated
    assert api.is_deleted(api.delete("log", log["id"]), "log")
    assert totals() == (0, 0)
    for response in (
        api.get("log", log["id"]),
        api.update("log", log["id"], length=1),
        api.delete("log", log["id"]),
    ):
        assert_problem(response, 404)


def test_deleting_a_consignment_deletes_its_logs_and_unlinks_its_files_and_notes(
    api_class: type[TimbaApi], tenant: Tenant
) -> None:
    api = api_class(api_client_of(tenant.user))
    assert api.is_deleted(api.delete("consignment", tenant.consignment.pk), "consignment")
    assert_problem(api.get("log", tenant.log.pk), 404)
    file = api.api_client.get(f"/api/files/{tenant.file.pk}/").json()
    assert (file["consignment_id"], file["log_id"]) == (None, None)
    assert api.api_client.get(f"/api/notes/{tenant.note.pk}/").json()["consignment_id"] is None
    assert (File.unscoped.count(), Note.unscoped.count()) == (1, 1)
    # The history has the deletions, and an update of every row that was unlinked.
    events = api.api_client.get("/api/events/").json()["events"]
    assert [event["type"] for event in events[-4:]] == [
        "timba.file.updated",
        "timba.note.updated",
        "timba.log.deleted",
        "timba.consignment.deleted",
    ]


def test_a_user_id_may_name_the_author(api: TimbaApi, owner: User, make_user: MakeUser) -> None:
    colleague = make_user(role="viewer")
    consignment = api.created(api.create_consignment(**CONSIGNMENT, user_id=colleague.pk))
    assert (consignment["created_by"], consignment["updated_by"]) == (colleague.pk, colleague.pk)
    consignment = api.updated(api.update("consignment", consignment["id"], name="Load 8"))
    assert (consignment["created_by"], consignment["updated_by"]) == (colleague.pk, owner.pk)
    consignment = api.updated(api.update("consignment", consignment["id"], user_id=colleague.pk))
    assert consignment["updated_by"] == colleague.pk
    foreign = make_user(client=ClientFactory()).pk
    for user_id in (foreign, foreign + 1000):
        assert_problem(api.create_consignment(**CONSIGNMENT, user_id=user_id), 404)
        assert_problem(api.update("consignment", consignment["id"], user_id=user_id), 404)


# --- Rejected requests ---------------------------------------------------------------------------


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
def test_a_consignment_that_is_invalid_is_400(
    field: str, value: Any, api: TimbaApi, consignment: Consignment
) -> None:
    for response in (
        api.create_consignment(**{**CONSIGNMENT, field: value}),
        api.update("consignment", consignment.pk, **{field: value}),
    ):
        assert assert_problem(response, 400)["errors"].keys() == {field}


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
def test_a_log_that_is_invalid_is_400(
    field: str, value: Any, api: TimbaApi, consignment: Consignment
) -> None:
    log = api.created(api.add_log(consignment.pk, **LOG))
    for response in (
        api.add_log(consignment.pk, **{**LOG, "barcode": "B-2", field: value}),
        api.update("log", log["id"], **{field: value}),
    ):
        assert assert_problem(response, 400)["errors"].keys() == {field}
    assert api.get("log", log["id"]).json() == log


def test_a_barcode_is_assigned_to_a_new_log_and_never_removed(
    api: TimbaApi, consignment: Consignment
) -> None:
    size = {name: LOG[name] for name in ("length", "breadth", "height")}
    log = api.created(api.add_log(consignment.pk, **size, barcode=None))
    assert log["barcode"] == f"TB-{consignment.client_id}-1"
    problem = assert_problem(api.update("log", log["id"], barcode=None), 400)
    assert problem["errors"].keys() == {"barcode"}


def test_names_and_barcodes_that_the_client_already_uses_are_409(
    api: TimbaApi,
    api_class: type[TimbaApi],
    make_user: MakeUser,
) -> None:
    first = api.created(api.create_consignment(**CONSIGNMENT))
    second = api.created(api.create_consignment(**{**CONSIGNMENT, "name": "Load 8"}))
    api.created(api.add_log(first["id"], **LOG))
    log = api.created(api.add_log(second["id"], **{**LOG, "barcode": "B-2"}))
    for response, sentence in (
        (
            api.create_consignment(**CONSIGNMENT),
            "There is a consignment named “Load 7” already.",
        ),
        (
            api.update("consignment", second["id"], name="Load 7"),
            "There is a consignment named “Load 7” already.",
        ),
        (api.add_log(second["id"], **LOG), "There is a log with the barcode “B-1” already."),
        (
            api.update("log", log["id"], barcode="B-1"),
            "There is a log with the barcode “B-1” already.",
        ),
    ):
        assert assert_problem(response, 409)["detail"] == sentence
    # A row may keep its own name, and another client may use the same one.
    api.updated(api.update("consignment", first["id"], name="Load 7"))
    api.updated(api.update("log", log["id"], barcode="B-2"))
    other = api_class(api_client_of(make_user(client=ClientFactory())))
    other.created(
        other.add_log(other.created(other.create_consignment(**CONSIGNMENT))["id"], **LOG)
    )


@pytest.mark.parametrize(
    ("role", "consignments", "logs"),
    [("manager", 201, 201), ("operator", 403, 201), ("viewer", 403, 403)],
)
def test_the_role_decides_which_writes_are_allowed(
    role: str,
    consignments: int,
    logs: int,
    api_class: type[TimbaApi],
    consignment: Consignment,
    make_user: MakeUser,
) -> None:
    log = Log.objects.create(client=consignment.client, consignment=consignment, volume=1, **LOG)
    api = api_class(api_client_of(make_user(role=role)))
    assert api.create_consignment(**CONSIGNMENT).status_code == consignments
    assert api.add_log(consignment.pk, **{**LOG, "barcode": "B-2"}).status_code == logs
    for noun, row_id, allowed in (
        ("log", log.pk, logs),
        ("consignment", consignment.pk, consignments),
    ):
        assert api.get(noun, row_id).status_code == 200
        for response in (api.update(noun, row_id), api.delete(noun, row_id)):
            assert (response.status_code == 403) == (allowed == 403)


def test_a_lapsed_clients_writes_are_402_and_its_reads_succeed(
    api: TimbaApi,
    owner: User,
    staff: User,
    api_class: type[TimbaApi],
) -> None:
    consignment = api.created(api.create_consignment(**CONSIGNMENT))
    log = api.created(api.add_log(consignment["id"], **LOG))
    assert owner.client is not None
    owner.client.subscription.current_period_end = timezone.now() - timedelta(days=1)
    owner.client.subscription.save()
    for response in (
        api.create_consignment(**{**CONSIGNMENT, "name": "Load 8"}),
        api.add_log(consignment["id"], **{**LOG, "barcode": "B-2"}),
        api.update("consignment", consignment["id"], name="Load 8"),
        api.update("log", log["id"], length=1),
        api.delete("log", log["id"]),
        api.delete("consignment", consignment["id"]),
    ):
        assert_problem(response, 402)
    assert api.get("consignment", consignment["id"]).status_code == 200
    assert api.get("log", log["id"]).status_code == 200
    platform = api_class(api_client_of(staff))
    assert platform.updated(platform.update("log", log["id"], length=1))["length"] == 1


# --- Tenancy -------------------------------------------------------------------------------------


def test_foreign_and_absent_rows_get_identical_responses(
    api_class: type[TimbaApi], tenant: Tenant, make_user: MakeUser
) -> None:
    api = api_class(api_client_of(make_user()))
    for noun, known in (("consignment", tenant.consignment.pk), ("log", tenant.log.pk)):
        absent_id = 8_000_001
        for foreign, absent in (
            (api.get(noun, known), api.get(noun, absent_id)),
            (
                api.update(noun, known, name="x" * 999),
                api.update(noun, absent_id, name="x" * 999),
            ),
            (api.delete(noun, known), api.delete(noun, absent_id)),
        ):
            assert_problem(foreign, 404)
            assert foreign.content == absent.content
    for body in (LOG, {}):
        foreign, absent = (api.add_log(pk, **body) for pk in (tenant.consignment.pk, 8_000_001))
        assert foreign.status_code == (400 if not body and api_class is TimbaApi else 404)
        assert foreign.content == absent.content


def test_neither_a_consignments_client_nor_a_logs_consignment_can_change(
    api_class: type[TimbaApi], tenant: Tenant, staff: User
) -> None:
    api, elsewhere = api_class(api_client_of(staff)), ClientFactory()
    consignment, log = tenant.consignment, tenant.log
    other = Consignment.objects.create(client=tenant.client, name="Other", type="pinewood")
    foreign = Consignment.objects.create(client=elsewhere, name="Foreign", type="pinewood")
    for response, field in (
        (api.update("consignment", consignment.pk, client_id=elsewhere.pk), "client_id"),
        (api.update("log", log.pk, client_id=elsewhere.pk), "client_id"),
        (api.update("log", log.pk, consignment_id=other.pk), "consignment_id"),
        (api.update("log", log.pk, consignment_id="x"), "consignment_id"),
    ):
        assert assert_problem(response, 400)["errors"].keys() == {field}
    member = api_class(api_client_of(tenant.user))
    for pk in (foreign.pk, 8_000_001):
        assert_problem(member.update("log", log.pk, consignment_id=pk), 404)
    for client_id in (elsewhere.pk, 8_000_001):
        assert_problem(member.update("log", log.pk, client_id=client_id), 404)
        assert_problem(member.update("consignment", consignment.pk, client_id=client_id), 404)
    same = {"client_id": tenant.client.pk, "consignment_id": consignment.pk, "length": 1}
    assert member.updated(member.update("log", log.pk, **same))["length"] == 1
