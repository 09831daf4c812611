"""What the demo company keeps beside its loads: photos, a gate note, remarks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from timba.config.demo.photos import View
from timba.consignments.models import Consignment

_YARD_PHONE: Final = ("Samsung", "SM-G736B")
_OFFICE_PHONE: Final = ("Nokia", "XR21")
_KULDIGA: Final = (56.9677, 21.9617)
_VALMIERA: Final = (57.5411, 25.4275)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """One photo of a load: which, how long ago, and what the camera saw."""

    name: str
    load: str
    minutes_ago: int
    seed: int
    species: str
    log_radius: int
    warmth: float
    camera: tuple[str, str] = _YARD_PHONE
    place: tuple[float, float] | None = _KULDIGA

    def view(self, *, now: datetime) -> View:
        """Return the view to draw."""
        return View(
            seed=self.seed,
            species=self.species,
            taken_at=now - timedelta(minutes=self.minutes_ago),
            camera=self.camera,
            log_radius=self.log_radius,
            warmth=self.warmth,
            place=self.place,
        )


SHOTS: Final = (
    Shot(
        name="AB-0185 left side.jpg",
        load="AB-0185",
        minutes_ago=131,
        seed=1,
        species="hardwood",
        log_radius=100,
        warmth=-0.2,
        place=_VALMIERA,
    ),
    Shot(
        name="AB-0186 at the gate.jpg",
        load="AB-0186",
        minutes_ago=76,
        seed=2,
        species="pinewood",
        log_radius=66,
        warmth=0.5,
    ),
    Shot(
        name="AB-0187 at the gate.jpg",
        load="AB-0187",
        minutes_ago=38,
        seed=3,
        species="pinewood",
        log_radius=82,
        warmth=0.2,
    ),
    Shot(
        name="AB-0187 butt ends.jpg",
        load="AB-0187",
        minutes_ago=35,
        seed=4,
        species="pinewood",
        log_radius=118,
        warmth=0.1,
        camera=_OFFICE_PHONE,
        place=None,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """A note, and whose role writes it."""

    role: str
    load: str | None
    title: str
    content: str


REMARKS: Final = (
    Remark(
        role="manager",
        load=None,
        title="Buyers on Thursday",
        content="Two buyers come on Thursday at 10:00 to see the pinewood of this week. "
        "Keep lane 3 free and have the photos at hand.",
    ),
    Remark(
        role="operator",
        load="AB-0185",
        title="Vehicle came without a cover",
        content="LM 8830 came uncovered through the rain. The bark is wet, the ends are sound.",
    ),
    Remark(
        role="operator",
        load="AB-0187",
        title="Seal number",
        content="Seal 88412 intact at the gate.",
    ),
    Remark(
        role="manager",
        load="AB-0187",
        title="Two logs split at the butt",
        content="Cracks up to 30 cm in two logs of the top row. The buyer was told by telephone; "
        "“AB-0187 butt ends.jpg” shows them.",
    ),
)


def gate_note(consignment: Consignment, *, at: datetime) -> bytes:
    """Return what the gate wrote down of a load, with the load's own totals."""
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
