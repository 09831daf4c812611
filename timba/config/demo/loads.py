"""The lorry loads of the demo company: what came in, measured as a gate measures logs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """One log: length in metres, breadth and height in centimetres."""

    length: Decimal
    breadth: Decimal
    height: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One lorry: `lengths` are what the forest cut them to, most often the first."""

    name: str
    type: str
    vehicle_number: str
    city_id: int
    log_count: int
    lengths: tuple[str, ...]
    thickness: tuple[int, int]

    def logs(self) -> Sequence[Measures]:
        """Return its logs, the same ones every time."""
        chance = random.Random(self.name)  # noqa: S311 - measures need no secrets
        weights = [6, *[1] * (len(self.lengths) - 1)]
        return [
            Measures(
                length=Decimal(chance.choices(self.lengths, weights)[0]),
                breadth=_half_centimetres(chance, self.thickness),
                height=_half_centimetres(chance, self.thickness),
            )
            for _ in range(self.log_count)
        ]


_PINE = ("4.20", "3.90", "4.05", "4.50")
_BIRCH = ("3.10", "2.80", "3.40")
LOADS = (
    Load(
        name="AB-0182",
        type="pinewood",
        vehicle_number="PK 6054",
        city_id=3,
        log_count=48,
        lengths=_PINE,
        thickness=(24, 36),
    ),
    Load(
        name="AB-0183",
        type="hardwood",
        vehicle_number="HF 1172",
        city_id=12,
        log_count=37,
        lengths=_BIRCH,
        thickness=(28, 44),
    ),
    Load(
        name="AB-0184",
        type="pinewood",
        vehicle_number="KB 4417",
        city_id=7,
        log_count=66,
        lengths=_PINE,
        thickness=(23, 35),
    ),
    Load(
        name="AB-0185",
        type="hardwood",
        vehicle_number="LM 8830",
        city_id=12,
        log_count=41,
        lengths=_BIRCH,
        thickness=(28, 46),
    ),
    Load(
        name="AB-0186",
        type="pinewood",
        vehicle_number="JT 2209",
        city_id=7,
        log_count=58,
        lengths=_PINE,
        thickness=(23, 34),
    ),
    Load(
        name="AB-0187",
        type="pinewood",
        vehicle_number="KB 4417",
        city_id=7,
        log_count=62,
        lengths=_PINE,
        thickness=(23, 34),
    ),
)


def _half_centimetres(chance: random.Random, thickness: tuple[int, int]) -> Decimal:
    thinnest, thickest = thickness
    return Decimal(chance.randint(thinnest * 2, thickest * 2)) / 2
