"""How temperature statistics are serialized: degrees Celsius as numbers with two decimals."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from timba.temperatures.bounds import to_datetime
from timba.temperatures.statistics import CityStatistics


class CitySchema(TypedDict):
    city_id: int
    name: str | None
    count: int
    min_temp: float | None
    max_temp: float | None
    mean_temp: float | None
    first_at: datetime | None
    last_at: datetime | None


def serialize_city(statistics: CityStatistics) -> CitySchema:
    """Return the statistics of a city as callers see them; without readings, most are None."""
    totals = statistics.totals
    return CitySchema(
        city_id=statistics.city_id,
        name=statistics.name,
        count=totals.count if totals else 0,
        min_temp=degrees(totals.min_hundredths) if totals else None,
        max_temp=degrees(totals.max_hundredths) if totals else None,
        mean_temp=degrees(totals.mean_hundredths) if totals else None,
        first_at=to_datetime(totals.first_at) if totals else None,
        last_at=to_datetime(totals.last_at) if totals else None,
    )


def degrees(hundredths: int) -> float:
    """Return hundredths of a degree as the nearest float, which prints with two decimals."""
    return hundredths / 100
