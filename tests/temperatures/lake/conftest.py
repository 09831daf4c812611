"""Fixtures: a lake in a folder of its own, and readers of its table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyiceberg.table import Table
from pytest_django.fixtures import Settings

from timba.temperatures.lake.catalog import open_table
from timba.temperatures.lake.follower import Follower
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.bounds import to_microseconds
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.statistics.city_list import list_cities


class Lake:
    """The table, brought up to date by a new follower each time, as `timba lake --once` does."""

    def __init__(self) -> None:
        self._table: Table | None = None

    @property
    def table(self) -> Table:
        self._table = open_table() if self._table is None else self._table.refresh()
        return self._table

    def close(self) -> None:
        if self._table is not None:
            self._table.catalog.close()

    def catch_up(self) -> None:
        Follower().catch_up()

    def statistics(self, client_id: int) -> dict[int, Totals]:
        """Return the totals by city of a client's readings, from the table alone."""
        rows = self.table.scan(row_filter=f"client_id == {client_id}").to_arrow().to_pylist()
        cities: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in rows:
            reading = int(row["temperature"].scaleb(2)), to_microseconds(row["read_at"])
            cities[row["city_id"]].append(reading)
        return {
            city_id: Totals(
                count=len(readings),
                sum_hundredths=sum(value for value, _ in readings),
                min_hundredths=min(value for value, _ in readings),
                max_hundredths=max(value for value, _ in readings),
                first_at=min(at for _, at in readings),
                last_at=max(at for _, at in readings),
            )
            for city_id, readings in cities.items()
        }

    def summaries(self) -> list[dict[str, str]]:
        """Return what the snapshots say of themselves, oldest first."""
        snapshots = self.table.metadata.snapshots
        return [dict(snapshot.summary.additional_properties) for snapshot in snapshots]

    def position(self, client_id: int) -> str | None:
        return self.table.properties.get(f"timba.position.{client_id}")


def counted(client_id: int) -> dict[int, Totals]:
    """Return the totals by city of a client's readings, as Timba's own statistics have them."""
    cities = list_cities(client_id, limit=100).rows
    found = [city_statistics(client_id=client_id, city_id=city.city_id) for city in cities]
    return {city.city_id: city.totals for city in found if city and city.totals}


@pytest.fixture
def lake(settings: Settings, tmp_path: Path, transactional_db: None) -> Iterator[Lake]:
    """Return a lake whose objects, catalog and warehouse are in a folder of this test."""
    backend = "timba.files.storage.LocalStorage"
    default = {"BACKEND": backend, "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    settings.TIMBA_LAKE_CATALOG = f"sqlite:///{tmp_path}/lake.sqlite3"
    settings.TIMBA_LAKE_WAREHOUSE = str(tmp_path / "lake")
    lake = Lake()
    yield lake
    lake.close()
