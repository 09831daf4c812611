"""“Clients, users, roles, consignments, logs”: content, order and filters of lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.clients import api_client_of
from tests.conftest import MakeUser
from tests.contract.responses import assert_problem
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.accounts.token_cache import forget_users
from timba.consignments.logs import NewLog, add_logs
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment

pytestmark = pytest.mark.django_db

APIS = ["timba", "rest"]
CONSIGNMENTS = {
    "timba": ("/timba/consignments", "consignments"),
    "rest": ("/api/consignments/", "results"),
}
BARCODES = ["C", "A", "B", "TB-1", "D 1", "É"]


def logs_url(api: str, consignment: Consignment) -> tuple[str, str]:
    """Return the URL of a consignment's logs in this API, and the key of its rows."""
    if api == "timba":
        return f"/timba/logs?consignment_id={consignment.pk}", "logs"
    return f"/api/consignments/{consignment.pk}/logs/?", "results"


def add_logs_with(owner: User, consignment: Consignment, barcodes: list[str]) -> None:
    """Add a log with each barcode."""
    size = {"length": Decimal("4.125"), "breadth": Decimal(30), "height": Decimal("31.5")}
    new = [NewLog(barcode=barcode, **size) for barcode in barcodes]
    add_logs(actor=owner, consignment=consignment, logs=new)


# --- Logs ----------------------------------------------------------------------------------------


def test_a_consignments_logs_are_listed_with_it_in_the_order_of_creation(
    api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    add_logs_with(owner, consignment, BARCODES)
    whole = api_client.get(f"/timba/logs?consignment_id={consignment.pk}").json()
    assert list(whole) == ["consignment", "logs", "next"]
    assert whole["consignment"] == api_client.get(f"/api/consignments/{consignment.pk}/").json()
    assert whole["consignment"]["log_count"] == len(BARCODES)
    assert [log["barcode"] for log in whole["logs"]] == BARCODES
    assert whole["logs"][0] == api_client.get(f"/api/logs/{whole['logs'][0]['id']}/").json()
    rest = api_client.get(f"/api/consignments/{consignment.pk}/logs/").json()
    assert rest == {"results": whole["logs"], "next": None}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_query_or_a_body_names_the_consignment(
    slash: str, api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    add_logs_with(owner, consignment, BARCODES)
    params = api_client.get(f"/timba/logs{slash}", {"consignment_id": consignment.pk}).json()
    body = api_client.generic(
        "GET",
        f"/timba/logs{slash}",
        f'{{"consignment_id": {consignment.pk}, "limit": 3}}',
        content_type="application/json",
    ).json()
    assert body["logs"] == params["logs"][:3]
    # The URL of the next page contains every parameter.
    assert api_client.get(body["next"]).json()["logs"] == params["logs"][3:6]
    problem = assert_problem(api_client.get(f"/timba/logs{slash}"), 400)
    assert problem["errors"].keys() == {"consignment_id"}


@pytest.mark.parametrize("api", APIS)
def test_pagination_returns_each_log_once_while_others_are_added(
    api: str, api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    add_logs_with(owner, consignment, BARCODES)
    url, key = logs_url(api, consignment)
    barcodes_seen: list[str] = []
    next_url: str | None = f"{url}&limit=2"
    while next_url is not None and len(barcodes_seen) < 20:
        page = api_client.get(next_url).json()
        barcodes_seen += [log["barcode"] for log in page[key]]
        add_logs_with(
            owner, consignment, [f"late {len(barcodes_seen)}"] if len(barcodes_seen) < 6 else []
        )
        next_url = page["next"]
    assert barcodes_seen == [*BARCODES, "late 2", "late 4"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("barcode", "expected"),
    [
        ("C", ["C"]),
        ("c", ["C"]),
        ("tb1", ["TB-1"]),
        ("Tb \u2011 1", ["TB-1"]),
        ("d-1", ["D 1"]),
        ("e\u0301", ["É"]),
        ("e", ["É"]),
        ("TB", []),
        ("Z", []),
        ("x" * 60, []),
        ("", BARCODES),
    ],
)
def test_the_barcode_filter_takes_a_whole_barcode_however_it_is_typed(
    api: str,
    barcode: str,
    expected: list[str],
    api_client: APIClient,
    owner: User,
    consignment: Consignment,
) -> None:
    add_logs_with(owner, consignment, BARCODES)
    other = Consignment.objects.create(client=owner.client, name="Other", type="pinewood")
    add_logs_with(owner, other, ["Z"])
    url, key = logs_url(api, consignment)
    page = api_client.get(f"{url}&{urlencode({'barcode': barcode})}").json()
    assert [log["barcode"] for log in page[key]] == expected


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("limit", ["0", "1001", "x", ""])
def test_a_page_of_logs_has_1_to_1000(
    api: str, limit: str, api_client: APIClient, consignment: Consignment
) -> None:
    url, _ = logs_url(api, consignment)
    assert assert_problem(api_client.get(f"{url}&limit={limit}"), 400)["errors"].keys() == {"limit"}
    problem = assert_problem(api_client.get(f"{url}&cursor=W10"), 400)
    assert problem["errors"].keys() == {"cursor"}
    assert api_client.get(f"{url}&limit=1000").status_code == 200


def test_staff_may_name_the_consignments_client(
    owner: User, consignment: Consignment, staff: User
) -> None:
    add_logs_with(owner, consignment, BARCODES)
    api_client = api_client_of(staff)
    params = {"consignment_id": consignment.pk}
    assert len(api_client.get("/timba/logs", params).json()["logs"]) == len(BARCODES)
    params["client_id"] = consignment.client_id
    assert len(api_client.get("/timba/logs", params).json()["logs"]) == len(BARCODES)
    params["client_id"] = ClientFactory().pk
    assert_problem(api_client.get("/timba/logs", params), 404)


@pytest.mark.parametrize("api", APIS)
def test_foreign_and_absent_consignments_get_identical_responses(
    api: str, consignment: Consignment, make_user: MakeUser
) -> None:
    other_client = api_client_of(make_user(client=ClientFactory()))
    foreign = other_client.get(logs_url(api, consignment)[0])
    consignment.pk += 1000
    absent = other_client.get(logs_url(api, consignment)[0])
    assert_problem(foreign, 404)
    assert foreign.content == absent.content


# --- Consignments --------------------------------------------------------------------------------


@pytest.fixture
def consignments(owner: User) -> None:
    """Create consignments that differ in every field that lists filter by."""
    assert owner.client is not None
    for name, kind, vehicle, city in (
        ("Ābele 1", "hardwood", "LV-1234", 7),
        ("Oak", "hardwood", "", None),
        ("Pine", "pinewood", "lv-99", 7),
    ):
        open_consignment(
            actor=owner,
            client=owner.client,
            name=name,
            type=kind,
            vehicle_number=vehicle,
            city_id=city,
        )


@pytest.mark.usefixtures("consignments")
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, ["Pine", "Oak", "Ābele 1"]),
        ({"q": "LV"}, ["Pine", "Ābele 1"]),
        ({"q": "āBELE"}, ["Ābele 1"]),
        ({"q": "oak"}, ["Oak"]),
        ({"q": "%"}, []),
        ({"q": ""}, ["Pine", "Oak", "Ābele 1"]),
        ({"type": "hardwood"}, ["Oak", "Ābele 1"]),
        ({"type": ""}, ["Pine", "Oak", "Ābele 1"]),
        ({"city_id": 7}, ["Pine", "Ābele 1"]),
        ({"city_id": 8}, []),
        ({"city_id": 7, "type": "pinewood", "q": "9"}, ["Pine"]),
    ],
)
def test_consignments_are_filtered(
    api: str, params: dict[str, Any], names: list[str], api_client: APIClient
) -> None:
    url, key = CONSIGNMENTS[api]
    assert [consignment["name"] for consignment in api_client.get(url, params).json()[key]] == names


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("name", "value"), [("type", "oak"), ("city_id", "x"), ("city_id", "0"), ("client_id", "x")]
)
def test_an_invalid_filter_is_400(api: str, name: str, value: str, api_client: APIClient) -> None:
    response = api_client.get(CONSIGNMENTS[api][0], {name: value})
    assert assert_problem(response, 400)["errors"].keys() == {name}


def test_filters_are_accepted_in_a_body(api_client: APIClient, consignments: None) -> None:
    response = api_client.generic(
        "GET",
        "/timba/consignments",
        '{"type": "hardwood", "limit": 1}',
        content_type="application/json",
    ).json()
    assert [consignment["name"] for consignment in response["consignments"]] == ["Oak"]
    next_url = api_client.get(response["next"]).json()
    assert [consignment["name"] for consignment in next_url["consignments"]] == ["Ābele 1"]


# --- Queries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
def test_a_page_of_30_rows_takes_as_many_queries_as_a_page_of_1(
    api: str, api_client: APIClient, owner: User, consignment: Consignment
) -> None:
    def queries() -> list[int]:
        counts = []
        for url in (logs_url(api, consignment)[0], CONSIGNMENTS[api][0]):
            forget_users()
            with CaptureQueriesContext(connection) as captured:
                assert api_client.get(url).status_code == 200
            counts.append(len(captured))
        return counts

    add_logs_with(owner, consignment, ["first"])
    few = queries()
    add_logs_with(owner, consignment, [str(number) for number in range(29)])
    assert owner.client is not None
    for number in range(29):
        open_consignment(actor=owner, client=owner.client, name=str(number), type="hardwood")
    assert queries() == few
    assert max(few) <= 4
