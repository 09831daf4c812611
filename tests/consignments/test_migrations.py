"""Rows of earlier versions get their keys; of logs with the same barcode, the oldest one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.state import StateApps

from tests.factories import ClientFactory
from tests.migrations import migrate, migrate_to_latest
from timba.consignments.models import Consignment, Log

pytestmark = pytest.mark.django_db(transaction=True)

SIZE = {"length": 4, "breadth": 30, "height": 25, "volume": "0.300"}


@pytest.fixture
def earlier() -> Iterator[StateApps]:
    """Return the models before keys were filled."""
    yield migrate("consignments", "0002_keys")
    migrate_to_latest()


def test_the_oldest_of_several_alike_barcodes_gets_the_key(earlier: StateApps) -> None:
    clients = [ClientFactory().pk for _ in range(2)]
    consignments = earlier.get_model("consignments", "Consignment").unscoped
    logs = earlier.get_model("consignments", "Log").unscoped
    loads = [
        consignments.create(
            client_id=client, name="Bērzs", type="hardwood", vehicle_number="AB 12-34"
        )
        for client in clients
    ]
    barcodes = ["TB-1", "tb-1", " TB-1", "x", *(f"n{number}" for number in range(1000)), "N999"]
    for load in loads:
        logs.bulk_create(
            logs.model(client_id=load.client_id, consignment=load, barcode=barcode, **SIZE)
            for barcode in barcodes
        )
    # As an earlier version wrote them.
    consignments.update(name_key="", vehicle_key="")
    logs.update(barcode_search_key="")
    migrate("consignments", "0003_fill_keys")
    interrupted = importlib.import_module("timba.consignments.migrations.0003_fill_keys")
    with connection.schema_editor() as schema_editor:
        interrupted.fill_keys(earlier, schema_editor)
    migrate_to_latest()
    expected = ["tb-1", None, None, "x", *(f"n{number}" for number in range(1000)), None]
    for client in clients:
        rows = Log.unscoped.filter(client_id=client).order_by("pk")
        assert list(rows.values_list("barcode", "barcode_key")) == list(
            zip(barcodes, expected, strict=True)
        )
        assert set(rows[:3].values_list("barcode_search_key", flat=True)) == {"tb1"}
    keys = set(Consignment.unscoped.values_list("name_key", "vehicle_key"))
    assert keys == {("berzs", "ab1234")}
