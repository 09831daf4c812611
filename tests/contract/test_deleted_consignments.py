"""“Files and photos”: the deleted consignments, and their restoration, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from tests.factories import StaffFactory, Tenant
from timba.accounts.models import User
from timba.consignments.models import Consignment, DeletedConsignment

pytestmark = pytest.mark.django_db

LISTS = {"/timba/consignments": "consignments", "/api/consignments/": "results"}
LOG = {"length": 4, "breadth": 30, "height": 30}


def created(api_client: APIClient, name: str, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "type": "hardwood", **fields}
    response = api_client.post("/api/consignments/", body)
    assert response.status_code == 201
    return dict(response.json())


def deleted(api_client: APIClient, *names: str, **fields: Any) -> list[int]:
    """Create and delete consignments of these names, a minute apart; return their ids."""
    ids = [created(api_client, name, **fields)["id"] for name in names]
    for minutes, pk in enumerate(ids):
        assert api_client.delete(f"/api/consignments/{pk}/").status_code == 204
        DeletedConsignment.unscoped.filter(pk=pk).update(
            deleted_at=timezone.now() + timedelta(minutes=minutes)
        )
    return ids


def listed(client: APIClient, **params: Any) -> list[int]:
    response = client.get("/api/consignments/", {"deleted": "true", **params})
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


@pytest.mark.parametrize("url", LISTS)
def test_a_deleted_consignment_is_listed_as_it_was_and_found_nowhere_else(
    url: str, api_client: APIClient, owner: User
) -> None:
    consignment = created(api_client, "Oak, March", city_id=7)
    log = api_client.post(f"/api/consignments/{consignment['id']}/logs/", LOG).json()
    consignment = api_client.get(f"/api/consignments/{consignment['id']}/").json()
    assert api_client.delete(f"/api/consignments/{consignment['id']}/").status_code == 204
    [row] = api_client.get(url, {"deleted": "true"}).json()[LISTS[url]]
    assert row["deleted_at"].endswith("Z")
    assert row == {**consignment, "deleted_at": row["deleted_at"], "deleted_by": owner.pk}
    for params in ({}, {"deleted": "false"}):
        assert api_client.get(url, params).json()[LISTS[url]] == []
    for gone in (
        f"/api/consignments/{consignment['id']}/",
        f"/api/consignments/{consignment['id']}/logs/",
        f"/api/consignments/{consignment['id']}/tally.csv",
        f"/api/logs/{log['id']}/",
        f"/timba/consignment?id={consignment['id']}",
    ):
        assert_problem(api_client.get(gone), 404)
    assert_problem(api_client.get(url, {"deleted": "perhaps"}), 400)


def test_a_restored_consignment_and_its_logs_have_their_ids_and_times(
    api_client: APIClient,
) -> None:
    path = f"/api/consignments/{created(api_client, 'Oak, March')['id']}/"
    for _ in range(2):
        assert api_client.post(f"{path}logs/", LOG).status_code == 201
    before = [api_client.get(url).json() for url in (path, f"{path}logs/")]
    api_client.delete(path)
    response = api_client.post(f"{path}restore/")
    assert response.status_code == 200
    assert [api_client.get(url).json() for url in (path, f"{path}logs/")] == before
    assert response.json() == before[0]
    assert listed(api_client) == []
    assert_problem(api_client.post(f"{path}restore/"), 404)


def test_a_repeated_restoration_with_a_key_has_the_first_answer(api_client: APIClient) -> None:
    [pk] = deleted(api_client, "Oak, March")
    url, headers = f"/api/consignments/{pk}/restore/", {"Idempotency-Key": "again"}
    first, second = (api_client.post(url, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json()


def test_what_was_taken_meanwhile_is_named(api_client: APIClient) -> None:
    consignment = created(api_client, "Oak, March")
    log = {**LOG, "barcode": "B 1"}
    assert api_client.post(f"/api/consignments/{consignment['id']}/logs/", log).status_code == 201
    api_client.delete(f"/api/consignments/{consignment['id']}/")
    other = created(api_client, "Oak, March")
    assert api_client.post(f"/api/consignments/{other['id']}/logs/", log).status_code == 201
    restore = f"/api/consignments/{consignment['id']}/restore/"
    problem = assert_problem(api_client.post(restore), 409)
    assert problem["detail"] == (
        "It cannot be restored, because there is a consignment named “Oak, March” and there is a "
        "log with the barcode “B 1” already. Rename or delete what has taken its place, then try "
        "again."
    )
    api_client.delete(f"/api/consignments/{other['id']}/")
    assert api_client.post(restore).status_code == 200


def test_the_latest_deletion_is_first_and_pages_skip_none(api_client: APIClient) -> None:
    ids = deleted(api_client, *(f"Load {number}" for number in range(5)))
    # Deleted at the same time: the higher id is first.
    DeletedConsignment.unscoped.filter(pk__in=ids[1:4]).update(deleted_at=timezone.now())
    first = DeletedConsignment.unscoped.get(pk=ids[0])
    DeletedConsignment.unscoped.filter(pk=ids[0]).update(
        deleted_at=first.deleted_at - timedelta(hours=1)
    )
    expected = [ids[4], ids[3], ids[2], ids[1], ids[0]]
    assert listed(api_client) == expected
    seen: list[int] = []
    url: str | None = "/api/consignments/?deleted=true&limit=2"
    while url is not None:
        page = api_client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
        if len(seen) == 2:
            api_client.post(f"/api/consignments/{seen[0]}/restore/")
    assert seen == expected


def test_the_filters_of_the_list_apply_to_deleted_consignments(api_client: APIClient) -> None:
    [oak] = deleted(api_client, "Oak, March", vehicle_number="AB-1234", city_id=7)
    [pine] = deleted(api_client, "Pīne", type="pinewood")
    assert listed(api_client, q="oak") == listed(api_client, q="ab 12") == [oak]
    assert listed(api_client, q="pine") == listed(api_client, type="pinewood") == [pine]
    assert listed(api_client, city_id=7) == [oak]


def test_deleted_consignments_of_other_clients_look_absent(
    api_client: APIClient, tenant: Tenant
) -> None:
    [mine] = deleted(api_client, "Oak, March")
    foreign = tenant.deleted_consignment.pk
    assert listed(api_client) == [mine]
    answers = [
        api_client.post(f"/api/consignments/{pk}/restore/").json() for pk in (foreign, 2**40, 2**70)
    ]
    assert answers == [answers[0]] * 3
    assert answers[0]["status"] == 404
    staff = api_client_of(StaffFactory())
    assert set(listed(staff)) == {mine, foreign}
    assert listed(staff, client_id=tenant.client.pk) == [foreign]
    assert staff.post(f"/api/consignments/{foreign}/restore/").status_code == 200
    assert Consignment.unscoped.get(pk=foreign).client == tenant.client


def test_a_user_who_may_not_write_consignments_sees_but_does_not_restore(
    api_client: APIClient, make_user: MakeUser
) -> None:
    [pk] = deleted(api_client, "Oak, March")
    viewer = api_client_of(make_user(role="viewer"))
    assert listed(viewer) == [pk]
    assert_problem(viewer.post(f"/api/consignments/{pk}/restore/"), 403)


def test_a_page_of_deleted_consignments_needs_as_many_queries_as_one_of_one(
    api_client: APIClient,
) -> None:
    counts = []
    for names in (["Load 1"], [f"Load {number}" for number in range(2, 9)]):
        deleted(api_client, *names)
        with CaptureQueriesContext(connection) as queries:
            listed(api_client)
        counts.append(len(queries))
    assert counts[0] == counts[1]
