"""Fixtures: a lake in a folder of its own, and readers of its table."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from pyiceberg.table import Table
from pytest_django.fixtures import Settings

from timba.temperatures.lake.catalog import open_table
from timba.temperatures.lake.follower import Follower
from timba.temperatures.readings.totals import Totals
from timba.temperatures.statistics.bounds import to_microseconds


class Lake:
    """The table, brought up to date by a new follower each time, as `timba lake --once` does."""

    @property
    def table(self) -> Table:
        return open_table()

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

    def snapshots(self) -> int:
        return len(self.table.metadata.snapshots)


@pytest.fixture
def lake(settings: Settings, tmp_path: Path, transactional_db: None) -> Lake:
    """Return a lake whose catalog and warehouse are in a folder of this test."""
    settings.TIMBA_LAKE_CATALOG = f"sqlite:///{tmp_path}/lake.sqlite3"
    settings.TIMBA_LAKE_WAREHOUSE = str(tmp_path / "lake")
    return Lake()
