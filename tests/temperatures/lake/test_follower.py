"""The table has exactly the readings that count, after every change of them."""

from __future__ import annotations

from tests.temperatures.conftest import Receive
from tests.temperatures.lake.conftest import Lake
from timba.accounts.models import User
from timba.files.services import delete_file
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.cities import city_statistics

YARD = "7,21.50,2026-06-01T12:00:00Z\n7,-3.05,2026-06-02T12:00:00Z\n9,4,2026-06-01T00:00:00Z\n"
QUAY = "7,0.01,2026-06-03T12:00:00Z\n11,-12.34,2026-06-03T00:00:00.000001Z\n"


def counted(client_id: int) -> dict[int, Totals]:
    """Return what Timba's own statistics say of the cities 7, 9 and 11."""
    found = {number: city_statistics(client_id=client_id, city_id=number) for number in (7, 9, 11)}
    return {number: one.totals for number, one in found.items() if one and one.totals}


def test_the_table_has_the_readings_that_count(lake: Lake, owner: User, settle: Receive) -> None:
    client_id = owner.client.pk
    yard = settle(YARD)
    settle(QUAY, name="quay.csv")
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 9, 11}
    delete_file(actor=owner, file=yard)
    lake.catch_up()
    assert lake.statistics(client_id) == counted(client_id)
    assert set(lake.statistics(client_id)) == {7, 11}
