"""“Files and photos”: one action on many files, each by itself."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.contract.conftest import ProcessPending
from tests.contract.responses import assert_problem
from tests.contract.uploads import FOUR_READINGS, create_file, form_file, get_file
from tests.factories import UserFactory
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.consignments.trash import delete_consignment
from timba.events.models import OutboxEvent
from timba.files import bulk
from timba.files.models import File

pytestmark = pytest.mark.django_db

NO_FILE = "There is no such file."


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_BATCH", 2)


def texts(api_client: APIClient, count: int) -> list[str]:
    """Upload texts; return their ids."""
    files = [create_file(api_client, form_file(f"{n}", f"{n}.txt")) for n in range(count)]
    return [file["id"] for file in files]


def post(api_client: APIClient, ids: list[str], action: str, **fields: Any) -> Any:
    body = {"ids": ids, "action": action, **fields}
    return api_client.post("/api/files/bulk/", body, format="json")


def outcome(response: Any) -> tuple[list[str], dict[str, str]]:
    """Return the ids that were done, and the errors by id."""
    assert response.status_code == 200, response.content
    body = response.json()
    assert list(body) == ["done", "errors"]
    return body["done"], {error["id"]: error["error"] for error in body["errors"]}


def test_what_is_refused_for_one_file_stops_no_other(
    api_client: APIClient, process_pending: ProcessPending
) -> None:
    ids = texts(api_client, 5)
    stranger = api_client_of(UserFactory())
    [foreign] = texts(stranger, 1)
    absent = str(uuid.uuid4())
    assert api_client.delete(f"/api/files/{ids[1]}/").status_code == 204
    asked = [ids[4], foreign, ids[1], ids[0], absent, ids[4], ids[3]]
    done, errors = outcome(post(api_client, asked, "delete"))
    assert done == [ids[4], ids[0], ids[3]]
    assert list(errors.items()) == [(foreign, NO_FILE), (ids[1], NO_FILE), (absent, NO_FILE)]
    listed = api_client.get("/api/files/?deleted=true").json()["results"]
    assert {file["id"] for file in listed} == {ids[0], ids[1], ids[3], ids[4]}
    assert get_file(stranger, {"id": foreign})["name"] == "0.txt"
    done, errors = outcome(post(api_client, [ids[2], foreign, absent, ids[3], ids[1]], "restore"))
    assert done == [ids[3], ids[1]]
    not_deleted = "The file is not in the trash."
    assert errors == {ids[2]: not_deleted, foreign: NO_FILE, absent: NO_FILE}
    assert process_pending() == 4  # the stranger's too
    assert get_file(api_client, {"id": ids[1]})["status"] == "SUCCESS"


def test_each_change_has_its_event_in_the_order_of_the_ids(
    api_client: APIClient, consignment: Consignment
) -> None:
    ids = texts(api_client, 3)[::-1]
    before = OutboxEvent.objects.count()
    post(api_client, ids, "move", consignment_id=consignment.pk)
    post(api_client, ids, "move", consignment_id=consignment.pk)  # which changes nothing
    events = OutboxEvent.objects.order_by("sequence")[before:]
    assert [(event.type, event.key) for event in events] == [
        ("timba.file.updated", file_id) for file_id in ids
    ]


def test_files_are_moved_to_a_consignment_and_out_of_any(
    api_client: APIClient, consignment: Consignment
) -> None:
    ids = texts(api_client, 3)
    for place in (consignment.pk, None):
        assert outcome(post(api_client, ids, "move", consignment_id=place)) == (ids, {})
        found = api_client.get("/api/files/").json()["results"]
        assert {file["consignment_id"] for file in found} == {place}


def test_another_clients_consignment_is_404_for_the_whole_call(api_client: APIClient) -> None:
    ids = texts(api_client, 1)
    theirs = Consignment.objects.create(client=UserFactory().client, name="x", type="hardwood")
    foreign = post(api_client, ids, "move", consignment_id=theirs.pk)
    absent = post(api_client, ids, "move", consignment_id=theirs.pk + 1)
    assert_problem(foreign, 404)
    assert foreign.content == absent.content
    assert File.unscoped.get().consignment is None


def test_a_consignment_deleted_meanwhile_is_told_for_the_files_that_are_left(
    api_client: APIClient,
    owner: User,
    consignment: Consignment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = texts(api_client, 3)

    def delete_it(_seconds: float) -> None:
        monkeypatch.undo()
        delete_consignment(actor=owner, consignment=consignment)

    monkeypatch.setattr(bulk, "yield_to_writers", delete_it)
    done, errors = outcome(post(api_client, ids, "move", consignment_id=consignment.pk))
    assert done == ids[:2]
    assert errors == {ids[2]: "There is no such consignment."}


def test_staff_move_no_file_to_another_clients_consignment(
    api_client: APIClient, consignment: Consignment, staff: User
) -> None:
    own, theirs = texts(api_client, 1), texts(api_client_of(UserFactory()), 1)
    response = post(api_client_of(staff), own + theirs, "move", consignment_id=consignment.pk)
    errors = {theirs[0]: "There is no such consignment or log."}
    assert outcome(response) == (own, errors)


def test_failed_files_are_retried(api_client: APIClient, process_pending: ProcessPending) -> None:
    ids = texts(api_client, 3)
    process_pending()
    File.unscoped.filter(pk__in=ids[:2]).update(status="FAILURE")
    done, errors = outcome(post(api_client, ids, "retry"))
    assert done == ids[:2]
    assert errors == {ids[2]: "Only a file in FAILURE, or a dry run, can be tried again."}
    assert process_pending() == 2


def test_a_twin_among_the_restored_is_refused_and_the_others_are_restored(
    api_client: APIClient,
) -> None:
    twins = []
    for name in ("first.csv", "second.csv"):
        twins.append(create_file(api_client, form_file(FOUR_READINGS, name))["id"])
        assert api_client.delete(f"/api/files/{twins[-1]}/").status_code == 204
    ids = texts(api_client, 1)
    post(api_client, ids, "delete")
    done, errors = outcome(post(api_client, [*twins, *ids], "restore"))
    assert done == [twins[0], *ids]
    assert errors == {twins[1]: "The same readings count already: they are in “first.csv”."}


@pytest.mark.parametrize("action", ["delete", "restore", "retry"])
def test_a_repeated_call_with_its_key_has_one_effect(api_client: APIClient, action: str) -> None:
    ids = texts(api_client, 3)
    if action == "restore":
        post(api_client, ids, "delete")
    if action == "retry":
        File.unscoped.update(status="FAILURE")
    body = {"ids": ids, "action": action}
    first, again = (
        api_client.post(
            "/api/files/bulk/", body, format="json", headers={"Idempotency-Key": "once"}
        )
        for _ in range(2)
    )
    assert outcome(first) == outcome(again) == (ids, {})


def test_a_call_with_a_key_changes_all_files_before_its_first_event(api_client: APIClient) -> None:
    body = {"ids": texts(api_client, 3), "action": "delete"}
    with CaptureQueriesContext(connection) as queries:
        api_client.post(
            "/api/files/bulk/", body, format="json", headers={"Idempotency-Key": "once"}
        )
    statements = [query["sql"].replace("`", '"') for query in queries]
    changes = [n for n, sql in enumerate(statements) if sql.startswith('UPDATE "files_file"')]
    events = [
        n for n, sql in enumerate(statements) if sql.startswith('INSERT INTO "events_outboxevent"')
    ]
    assert len(changes) == 3
    assert changes[-1] < events[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ids": [], "action": "delete"}, "ids"),
        ({"ids": [str(uuid.uuid4())] * 1001, "action": "delete"}, "ids"),
        ({"ids": ["7"], "action": "delete"}, "ids.0"),
        ({"ids": [7], "action": "delete"}, "ids.0"),
        ({"ids": [str(uuid.uuid4())], "action": "erase"}, "action"),
        ({"ids": [str(uuid.uuid4())], "action": "move"}, "consignment_id"),
        ({"ids": [str(uuid.uuid4())], "action": "delete", "consignment_id": 1}, "consignment_id"),
    ],
)
def test_a_wrong_body_is_400(api_client: APIClient, body: dict[str, Any], field: str) -> None:
    response = api_client.post("/api/files/bulk/", body, format="json")
    assert field in assert_problem(response, 400)["errors"]


@pytest.mark.parametrize("ids", [[], [str(uuid.uuid4())] * 1001, "7", {}])
def test_ids_that_are_no_list_of_1_to_1000_are_400(api_client: APIClient, ids: Any) -> None:
    errors = assert_problem(post(api_client, ids, "delete"), 400)["errors"]
    assert errors == {"ids": ["Give a list of 1 to 1000 ids of files."]}


def test_a_user_without_the_permission_changes_nothing(api_client: APIClient, owner: User) -> None:
    ids = texts(api_client, 1)
    viewer = api_client_of(UserFactory(client=owner.client, role="viewer"))
    for action in ("delete", "restore", "retry"):
        assert_problem(post(viewer, ids, action), 403)
    assert get_file(api_client, {"id": ids[0]})["id"] == ids[0]
