"""How temperature statistics and series are serialized: °C as JSON numbers with two decimals.

OpenAPI describes them by this type: a field is `Annotated[type, description, example]`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from timba.temperatures.statistics.bounds import to_datetime
from timba.temperatures.statistics.cities import CityStatistics
from timba.temperatures.statistics.series import Series


class CityStatisticsSchema(TypedDict):
    """The temperature statistics of a city."""

    city_id: Annotated[int, "Number of the city, as in the client's temperature files.", 7]
    name: Annotated[str | None, "Name of the city; null if it has none.", "Riga"]
    count: Annotated[int, "Number of readings in the period.", 17520]
    min_temp: Annotated[float | None, "Lowest temperature in °C; null without readings.", -21.4]
    max_temp: Annotated[float | None, "Highest temperature in °C; null without readings.", 33.1]
    mean_temp: Annotated[
        float | None,
        "Mean temperature in °C, rounded half away from zero to 2 decimals; null without readings.",
        7.25,
    ]
    first_at: Annotated[
        datetime | None,
        "Time of the first reading in the period (UTC, ISO 8601); null without readings.",
        "2024-01-01T00:00:00Z",
    ]
    last_at: Annotated[
        datetime | None,
        "Time of the last reading in the period (UTC, ISO 8601); null without readings.",
        "2025-12-31T23:30:00Z",
    ]


class PointSchema(TypedDict):
    """The readings of one hour or day."""

    at: Annotated[datetime, "Start of the hour or day (UTC, ISO 8601).", "2025-06-01T12:00:00Z"]
    count: Annotated[int, "Number of readings.", 60]
    min: Annotated[float, "Lowest temperature in °C.", 17.9]
    max: Annotated[float, "Highest temperature in °C.", 19.4]
    mean: Annotated[
        float, "Mean temperature in °C, rounded half away from zero to 2 decimals.", 18.62
    ]


class SeriesSchema(TypedDict):
    """The temperatures of a city by hour or by day."""

    city_id: Annotated[int, "Number of the city, as in the client's temperature files.", 7]
    bucket: Annotated[Literal["hour", "day"], "Whether a point is an hour or a day.", "hour"]
    points: Annotated[
        list[PointSchema], "Oldest first; hours or days without readings are left out."
    ]


def serialize_city_statistics(statistics: CityStatistics) -> CityStatisticsSchema:
    """Return the statistics of a city as callers see them; without readings, most are None."""
    totals = statistics.totals
    return CityStatisticsSchema(
        city_id=statistics.city_id,
        name=statistics.name,
        count=totals.count if totals else 0,
        min_temp=degrees(totals.min_hundredths) if totals else None,
        max_temp=degrees(totals.max_hundredths) if totals else None,
        mean_temp=degrees(totals.mean_hundredths) if totals else None,
        first_at=to_datetime(totals.first_at) if totals else None,
        last_at=to_datetime(totals.last_at) if totals else None,
    )


def serialize_series(series: Series) -> SeriesSchema:
    """Return the series of a city as callers see it."""
    return SeriesSchema(
        city_id=series.city_id,
        bucket=series.bucket.value,
        points=[
            PointSchema(
                at=to_datetime(start),
                count=count,
                min=degrees(lowest),
                max=degrees(highest),
                mean=degrees(mean),
            )
            for start, count, lowest, highest, mean in series.points.T.tolist()
        ],
    )


def degrees(hundredths: int) -> float:
    """Return hundredths of a degree as the nearest float, which prints with two decimals."""
    return hundredths / 100
