"""Makes up a month of hourly readings, as a logger in a timber yard would write them down.

The mean of the season in Latvia, days that are warmer than nights (little in November, much in
June), and weather that comes and goes over days.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Means of the months in Latvia, °C, from January on.
_MONTHS = (-3.1, -3.3, 0.4, 6.4, 11.9, 15.4, 17.8, 16.9, 12.3, 6.9, 2.2, -1.2)
_HOURS = 30 * 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Yard:
    """A place where a logger hangs: `offset` is how much milder it is than the country."""

    city_id: int
    city: str
    offset: float
    seed: int
    flaws: tuple[str, ...]


YARDS = (
    Yard(
        city_id=3,
        city="Ventspils",
        offset=1.3,
        seed=3,
        flaws=("3,--.-,logger restarted", "3;4.10;battery changed"),
    ),
    Yard(
        city_id=7,
        city="Kuldīga",
        offset=0.2,
        seed=1,
        flaws=("7,sensor off", "7,,", "7,999999,1970-01-01T00:00:00Z"),
    ),
    Yard(
        city_id=12,
        city="Valmiera",
        offset=-0.8,
        seed=2,
        flaws=("LOGGER RESTART", "12,-O.45,battery low"),
    ),
)


def month_of_readings(yard: Yard, *, until: datetime) -> bytes:
    """Return a temperature file: hourly up to `until`, with the lines the logger spoilt."""
    lines = ["city_id,temperature,timestamp"]
    lines += [
        f"{yard.city_id},{celsius:.2f},{at:%Y-%m-%dT%H:%M:%SZ}"
        for at, celsius in _readings(yard, until=until)
    ]
    for number, flaw in enumerate(yard.flaws, start=1):
        lines.insert(len(lines) * number // (len(yard.flaws) + 1), flaw)
    return ("\n".join(lines) + "\n").encode()


def _readings(yard: Yard, *, until: datetime) -> Iterator[tuple[datetime, float]]:
    chance = random.Random(yard.seed)  # noqa: S311 - weather needs no secrets
    last = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    front = chance.gauss(0, 3)
    for hour in range(_HOURS - 1, -1, -1):
        at = last - timedelta(hours=hour)
        front = 0.988 * front + chance.gauss(0, 0.46)
        yield at, _season(at) + yard.offset + front + _day(at) + chance.gauss(0, 0.12)


def _season(at: datetime) -> float:
    """Return the mean of the season, from the middle of one month to that of the next."""
    months = at.month - 1 + (at.day - 15) / 30
    before = math.floor(months)
    share = months - before
    return _MONTHS[before % 12] * (1 - share) + _MONTHS[(before + 1) % 12] * share


def _day(at: datetime) -> float:
    """Return how far this hour is from the day's mean: warmest at two in the afternoon there."""
    summer = 0.5 - 0.5 * math.cos(math.tau * (at.month - 1 + at.day / 30) / 12)
    swing = 1.2 + 4.3 * summer
    return swing * math.cos(math.tau * (at.hour - 12) / 24)
