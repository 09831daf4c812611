"""The files and notes of the demo company: photos, a gate note, temperature files, notes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from timba.consignments.models import Consignment
from timba.demo.drawing import Scene

# Monthly mean temperatures in Latvia in °C, from January.
_MONTHLY_MEANS = (-3.1, -3.3, 0.4, 6.4, 11.9, 15.4, 17.8, 16.9, 12.3, 6.9, 2.2, -1.2)
READINGS: Final = 90 * 24 * 6
_INTERVAL: Final = timedelta(minutes=10)

_YARD_PHONE: Final = ("Samsung", "SM-G736B")
_OFFICE_PHONE: Final = ("Nokia", "XR21")
_KULDIGA: Final = (56.9677, 21.9617)
_VALMIERA: Final = (57.5411, 25.4275)


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoSpec:
    """A photo to draw: its file name, consignment and age, and the parameters of its scene."""

    name: str
    load: str
    minutes_ago: int
    seed: int
    species: str
    log_radius: int
    warmth: float
    camera: tuple[str, str] = _YARD_PHONE
    location: tuple[float, float] | None = _KULDIGA

    def scene(self, *, now: datetime) -> Scene:
        """Return the scene to draw."""
        return Scene(
            seed=self.seed,
            species=self.species,
            taken_at=now - timedelta(minutes=self.minutes_ago),
            camera=self.camera,
            log_radius=self.log_radius,
            warmth=self.warmth,
            location=self.location,
        )


PHOTOS: Final = (
    PhotoSpec(
        name="AB-0185 left side.jpg",
        load="AB-0185",
        minutes_ago=131,
        seed=1,
        species="hardwood",
        log_radius=100,
        warmth=-0.2,
        location=_VALMIERA,
    ),
    PhotoSpec(
        name="AB-0186 at the gate.jpg",
        load="AB-0186",
        minutes_ago=76,
        seed=2,
        species="pinewood",
        log_radius=66,
        warmth=0.5,
    ),
    PhotoSpec(
        name="AB-0187 at the gate.jpg",
        load="AB-0187",
        minutes_ago=38,
        seed=3,
        species="pinewood",
        log_radius=82,
        warmth=0.2,
    ),
    PhotoSpec(
        name="AB-0187 butt ends.jpg",
        load="AB-0187",
        minutes_ago=35,
        seed=4,
        species="pinewood",
        log_radius=118,
        warmth=0.1,
        camera=_OFFICE_PHONE,
        location=None,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSpec:
    """A note to write, and the role of its author."""

    role: str
    load: str | None
    title: str
    content: str


NOTES: Final = (
    NoteSpec(
        role="manager",
        load=None,
        title="Buyers on Thursday",
        content="Two buyers come on Thursday at 10:00 to see the pinewood of this week. "
        "Keep lane 3 free and have the photos at hand.",
    ),
    NoteSpec(
        role="operator",
        load="AB-0185",
        title="Vehicle came without a cover",
        content="LM 8830 came uncovered through the rain. The bark is wet, the ends are sound.",
    ),
    NoteSpec(
        role="operator",
        load="AB-0187",
        title="Seal number",
        content="Seal 88412 intact at the gate.",
    ),
    NoteSpec(
        role="manager",
        load="AB-0187",
        title="Two logs split at the butt",
        content="Cracks up to 30 cm in two logs of the top row. The buyer was told by telephone; "
        "“AB-0187 butt ends.jpg” shows them.",
    ),
)


def gate_note(consignment: Consignment, *, at: datetime) -> bytes:
    """Return a text file with the totals of a consignment, as written at the gate."""
    return f"""Abava Timber, gate, {at:%Y-%m-%d}

Consignment  {consignment.name}, {consignment.type}
Vehicle      {consignment.vehicle_number}
Came in      {at - timedelta(minutes=42):%H:%M}
Measured by  Jānis Bērziņš

Logs         {consignment.log_count}
Volume       {consignment.volume} m³

Seal 88412 intact. Ground frozen, no mud on the bark.
Two logs of the top row are split at the butt, see the photos.
Stacked in lane 3, tags towards the road.
""".encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Yard:
    """A yard with a temperature logger; `offset` is its deviation from the national mean in °C."""

    city_id: int
    city: str
    offset: float
    seed: int
    invalid_lines: tuple[str, ...]


YARDS = (
    Yard(
        city_id=3,
        city="Ventspils",
        offset=1.3,
        seed=3,
        invalid_lines=("3,--.-,logger restarted", "3;4.10;battery changed"),
    ),
    Yard(
        city_id=7,
        city="Kuldīga",
        offset=0.2,
        seed=1,
        invalid_lines=("7,sensor off", "7,,", "7,999999,1970-01-01T00:00:00Z"),
    ),
    Yard(
        city_id=12,
        city="Valmiera",
        offset=-0.8,
        seed=2,
        invalid_lines=("LOGGER RESTART", "12,-O.45,battery low"),
    ),
)


def season_of_readings(yard: Yard, *, until: datetime) -> bytes:
    """Return a temperature file: 90 days of readings up to `until`, and invalid lines."""
    lines = ["city_id,temperature,timestamp"]
    lines += [
        f"{yard.city_id},{celsius:.2f},{at:%Y-%m-%dT%H:%M:%SZ}"
        for at, celsius in _readings(yard, until=until)
    ]
    for number, line in enumerate(yard.invalid_lines, start=1):
        lines.insert(len(lines) * number // (len(yard.invalid_lines) + 1), line)
    return ("\n".join(lines) + "\n").encode()


def _readings(yard: Yard, *, until: datetime) -> Iterator[tuple[datetime, float]]:
    rng = random.Random(yard.seed)  # noqa: S311 - weather needs no secrets
    last = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    drift = rng.gauss(0, 3)
    for number in range(READINGS - 1, -1, -1):
        at = last - number * _INTERVAL
        drift = 0.998 * drift + rng.gauss(0, 0.19)
        yield (
            at,
            _seasonal_mean(at) + yard.offset + drift + _daily_deviation(at) + rng.gauss(0, 0.12),
        )


def _seasonal_mean(at: datetime) -> float:
    """Return the mean in °C, interpolated linearly between the middles of two months."""
    months = at.month - 1 + (at.day - 15) / 30
    before = math.floor(months)
    weight = months - before
    return _MONTHLY_MEANS[before % 12] * (1 - weight) + _MONTHLY_MEANS[(before + 1) % 12] * weight


def _daily_deviation(at: datetime) -> float:
    """Return the deviation from the daily mean in °C, with its maximum at 12:00 UTC."""
    summer = 0.5 - 0.5 * math.cos(math.tau * (at.month - 1 + at.day / 30) / 12)
    amplitude = 1.2 + 4.3 * summer
    return amplitude * math.cos(math.tau * (at.hour + at.minute / 60 - 12) / 24)
