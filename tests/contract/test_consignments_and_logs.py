"""“Clients, users, roles, consignments, logs”: `/timba/consignment` and `/timba/log`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem, envelope
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.models import Consignment

pytestmark = pytest.mark.django_db

CONSIGNMENT = [
    "id", "name", "type", "vehicle_number", "city_id", "client_id", "created_by", "updated_by",
    "created_at", "updated_at", "log_count", "volume",
]  # fmt: skip
LOG = [
    "id", "consignment_id", "client_id", "barcode", "length", "breadth", "height", "volume",
    "created_by", "created_at", "updated_at",
]  # fmt: skip


def test_a_consignment_is_opened_and_read(api_client: APIClient, owner: User) -> None:
    body = {"name": "Load 7", "type": "hardwood", "vehicle_number": "LV-1", "city_id": 7}
    consignment = envelope(api_client.put("/timba/consignment", body), 201)
    assert list(consignment) == CONSIGNMENT
    expected = {
        **body,
        "client_id": owner.client_id,
        "created_by": owner.pk,
        "updated_by": owner.pk,
        "log_count": 0,
        "volume": 0,
    }
    assert {name: consignment[name] for name in expected} == expected
    assert (
        api_client.get("/timba/consignment", {"consignment_id": consignment["id"]}).json()
        == consignment
    )


def test_user_id_names_the_author(api_client: APIClient, make_user: MakeUser) -> None:
    colleague = make_user(role="viewer")
    body = {"name": "Load", "type": "pinewood", "user_id": colleague.pk}
    assert envelope(api_client.put("/timba/consignment", body), 201)["created_by"] == colleague.pk


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "x" * 101), ("type", "oak"), ("city_id", 0), ("type", None)],
)
def test_a_consignment_that_is_invalid_is_400(
    field: str, value: Any, api_client: APIClient
) -> None:
    body = {"name": "Load", "type": "hardwood", field: value}
    problem = assert_problem(api_client.put("/timba/consignment", body), 400)
    assert problem["errors"].keys() == {field}


def test_a_name_or_barcode_that_the_client_already_uses_is_409(
    api_client: APIClient, make_user: MakeUser
) -> None:
    body = {"name": "Load", "type": "hardwood"}
    consignment = envelope(api_client.put("/timba/consignment", body), 201)
    assert_problem(api_client.put("/timba/consignment", body), 409)
    log = {
        "consignment_id": consignment["id"],
        "barcode": "B-1",
        "length": 4,
        "breadth": 3,
        "height": 3,
    }
    envelope(api_client.put("/timba/log", log), 201)
    assert_problem(api_client.put("/timba/log", log), 409)
    other = api_client_of(make_user(client=ClientFactory()))
    theirs = envelope(other.put("/timba/consignment", body), 201)
    envelope(other.put("/timba/log", {**log, "consignment_id": theirs["id"]}), 201)


@pytest.mark.parametrize(
    ("length", "breadth", "height"),
    [("4.125", "30", "31.5"), ("0.1", "0.5", "0.5"), ("40", "300", "300"),
     ("1", "5", "1"), ("1.5", "2.5", "3.333")],
)  # fmt: skip
def test_a_logs_volume_is_exact_and_rounded_half_up_to_3_decimals(
    length: str, breadth: str, height: str, api_client: APIClient, consignment: Consignment
) -> None:
    body = {
        "consignment_id": consignment.pk,
        "length": length,
        "breadth": breadth,
        "height": height,
    }
    log = envelope(api_client.put("/timba/log", body), 201)
    assert list(log) == LOG
    exact = Decimal(length) * Decimal(breadth) * Decimal(height) / 10_000
    expected = exact.quantize(Decimal("0.001"), rounding="ROUND_HALF_UP")
    assert log["volume"] == float(expected)
    assert api_client.get("/timba/log", {"log_id": log["id"]}).json() == log
    after = api_client.get("/timba/consignment", {"id": consignment.pk}).json()
    assert (after["log_count"], after["volume"]) == (1, float(expected))


@pytest.mark.parametrize("field", ["length", "breadth", "height"])
@pytest.mark.parametrize(
    "value", [0, -1, "0.0001", "0.09", 300.1, 10_000, "1e9", "x", None, True, [], "NaN"]
)
def test_a_measure_that_is_invalid_is_400(
    field: str, value: Any, api_client: APIClient, consignment: Consignment
) -> None:
    body = {"consignment_id": consignment.pk, "length": 4, "breadth": 3, "height": 3, field: value}
    assert assert_problem(api_client.put("/timba/log", body), 400)["errors"].keys() == {field}


def test_an_omitted_barcode_is_assigned(
    api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    body = {"consignment_id": consignment.pk, "length": 4, "breadth": 3, "height": 3}
    assigned = [envelope(api_client.put("/timba/log", body), 201)["barcode"] for _ in range(2)]
    assert assigned == [f"TB-{owner.client_id}-1", f"TB-{owner.client_id}-2"]
    for barcode in ("", "x" * 51, "a\tb"):
        problem = assert_problem(api_client.put("/timba/log", {**body, "barcode": barcode}), 400)
        assert problem["errors"].keys() == {"barcode"}
    longest = {**body, "barcode": "木" * 50}
    assert envelope(api_client.put("/timba/log", longest), 201)["barcode"] == "木" * 50
