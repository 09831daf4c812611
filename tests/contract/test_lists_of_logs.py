"""“Clients, users, roles, consignments, logs”: what lists show, in which order, and narrowed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.conftest import AsUser, MakeUser
from tests.contract.answers import assert_problem
from tests.factories import ClientFactory
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.consignments.services import NewLog, add_logs, open_consignment

pytestmark = pytest.mark.django_db

DOORS = ["timba", "rest"]
CONSIGNMENTS = {
    "timba": ("/timba/consignments", "consignments"),
    "rest": ("/api/consignments/", "results"),
}
BARCODES = ["C", "A", "B", "b", "TB-1", " D", "É"]


def logs_of(door: str, load: Consignment) -> tuple[str, str]:
    """Return the address and the key of a consignment's logs at this door."""
    if door == "timba":
        return f"/timba/logs?consignment_id={load.pk}", "logs"
    return f"/api/consignments/{load.pk}/logs/?", "results"


def fill(owner: User, load: Consignment, barcodes: list[str]) -> None:
    """Add a log of each barcode."""
    size = {"length": Decimal("4.125"), "breadth": Decimal(30), "height": Decimal("31.5")}
    new = [NewLog(barcode=barcode, **size) for barcode in barcodes]
    add_logs(actor=owner, consignment=load, logs=new)


# --- Logs ----------------------------------------------------------------------------------------


def test_a_consignments_logs_come_with_it_in_the_order_of_arrival(
    program: APIClient, owner: User, load: Consignment
) -> None:
    fill(owner, load, BARCODES)
    whole = program.get(f"/timba/logs?consignment_id={load.pk}").json()
    assert list(whole) == ["consignment", "logs", "next"]
    assert whole["consignment"] == program.get(f"/api/consignments/{load.pk}/").json()
    assert whole["consignment"]["log_count"] == len(BARCODES)
    assert [log["barcode"] for log in whole["logs"]] == BARCODES
    assert whole["logs"][0] == program.get(f"/api/logs/{whole['logs'][0]['id']}/").json()
    rest = program.get(f"/api/consignments/{load.pk}/logs/").json()
    assert rest == {"results": whole["logs"], "next": None}


@pytest.mark.parametrize("slash", ["", "/"])
def test_which_consignments_logs_is_said_in_the_query_or_in_a_body(
    slash: str, program: APIClient, owner: User, load: Consignment
) -> None:
    fill(owner, load, BARCODES)
    asked = program.get(f"/timba/logs{slash}", {"consignment_id": load.pk}).json()
    body = program.generic(
        "GET",
        f"/timba/logs{slash}",
        f'{{"consignment_id": {load.pk}, "limit": 3}}',
        content_type="application/json",
    ).json()
    assert body["logs"] == asked["logs"][:3]
    # The address of the next page says it all by itself.
    assert program.get(body["next"]).json()["logs"] == asked["logs"][3:6]
    said = assert_problem(program.get(f"/timba/logs{slash}"), 400)
    assert said["errors"].keys() == {"consignment_id"}


@pytest.mark.parametrize("door", DOORS)
def test_a_walk_through_the_logs_meets_each_once_while_others_come_in(
    door: str, program: APIClient, owner: User, load: Consignment
) -> None:
    fill(owner, load, BARCODES)
    url, key = logs_of(door, load)
    met: list[str] = []
    following: str | None = f"{url}&limit=2"
    while following is not None and len(met) < 20:
        page = program.get(following).json()
        met += [log["barcode"] for log in page[key]]
        fill(owner, load, [f"late {len(met)}"] if len(met) < 6 else [])
        following = page["next"]
    assert met == [*BARCODES, "late 2", "late 4"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("barcode", [*BARCODES, "Z", "", "x" * 60])
def test_a_log_is_found_by_exactly_its_barcode(
    door: str, barcode: str, program: APIClient, owner: User, load: Consignment
) -> None:
    fill(owner, load, BARCODES)
    other = Consignment.objects.create(client=owner.client, name="Other", type="pinewood")
    fill(owner, other, ["Z"])
    url, key = logs_of(door, load)
    page = program.get(f"{url}&{urlencode({'barcode': barcode})}").json()
    expected = [each for each in BARCODES if each == barcode] if barcode else BARCODES
    assert [log["barcode"] for log in page[key]] == expected


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("limit", ["0", "1001", "x", ""])
def test_a_page_of_logs_has_1_to_1000(
    door: str, limit: str, program: APIClient, load: Consignment
) -> None:
    url, _ = logs_of(door, load)
    assert assert_problem(program.get(f"{url}&limit={limit}"), 400)["errors"].keys() == {"limit"}
    said = assert_problem(program.get(f"{url}&cursor=W10"), 400)
    assert said["errors"].keys() == {"cursor"}
    assert program.get(f"{url}&limit=1000").status_code == 200


def test_staff_may_say_whose_consignment_it_is(
    owner: User, load: Consignment, staff: User, as_user: AsUser
) -> None:
    fill(owner, load, BARCODES)
    program = as_user(staff)
    asked = {"consignment_id": load.pk}
    assert len(program.get("/timba/logs", asked).json()["logs"]) == len(BARCODES)
    asked["client_id"] = load.client_id
    assert len(program.get("/timba/logs", asked).json()["logs"]) == len(BARCODES)
    asked["client_id"] = ClientFactory().pk
    assert_problem(program.get("/timba/logs", asked), 404)


@pytest.mark.parametrize("door", DOORS)
def test_a_strangers_logs_are_answered_like_none(
    door: str, load: Consignment, make_user: MakeUser, as_user: AsUser
) -> None:
    stranger = as_user(make_user(client=ClientFactory()))
    foreign = stranger.get(logs_of(door, load)[0])
    number = str(load.pk).encode()
    load.pk += 1000
    absent = stranger.get(logs_of(door, load)[0])
    assert_problem(foreign, 404)
    assert foreign.content.replace(number, b"") == absent.content.replace(b"%d" % load.pk, b"")


# --- Consignments --------------------------------------------------------------------------------


@pytest.fixture
def loads(owner: User) -> None:
    """Open some consignments that differ in all that lists are narrowed by."""
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


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("asked", "names"),
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
def test_consignments_are_narrowed(
    door: str, asked: dict[str, Any], names: list[str], program: APIClient
) -> None:
    url, key = CONSIGNMENTS[door]
    assert [load["name"] for load in program.get(url, asked).json()[key]] == names


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("name", "value"), [("type", "oak"), ("city_id", "x"), ("city_id", "0"), ("client_id", "x")]
)
def test_what_narrows_nothing_that_can_be_is_400(
    door: str, name: str, value: str, program: APIClient
) -> None:
    answer = program.get(CONSIGNMENTS[door][0], {name: value})
    assert assert_problem(answer, 400)["errors"].keys() == {name}


def test_filters_may_come_in_a_body(program: APIClient, loads: None) -> None:
    answer = program.generic(
        "GET",
        "/timba/consignments",
        '{"type": "hardwood", "limit": 1}',
        content_type="application/json",
    ).json()
    assert [load["name"] for load in answer["consignments"]] == ["Oak"]
    following = program.get(answer["next"]).json()
    assert [load["name"] for load in following["consignments"]] == ["Ābele 1"]


# --- Queries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_a_page_takes_as_many_queries_for_30_rows_as_for_1(
    door: str, program: APIClient, owner: User, load: Consignment
) -> None:
    def queries() -> list[int]:
        counts = []
        for url in (logs_of(door, load)[0], CONSIGNMENTS[door][0]):
            with CaptureQueriesContext(connection) as captured:
                assert program.get(url).status_code == 200
            counts.append(len(captured))
        return counts

    fill(owner, load, ["first"])
    few = queries()
    fill(owner, load, [str(number) for number in range(29)])
    assert owner.client is not None
    for number in range(29):
        open_consignment(actor=owner, client=owner.client, name=str(number), type="hardwood")
    assert queries() == few
    assert max(few) <= 4
