"""The consignments and the tally sheet of the demo company, with generated measures."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.styles import Font

SHEET_NAME: Final = "forest tally AB-0183.xlsx"
SHEET_LOAD: Final = "AB-0183"
_ROWS: Final = 14
# Cells by row that are no valid thickness, so that the demo shows rejected rows.
_INVALID_THICKNESS: Final = {5: None, 11: "31?"}
_HEADER: Final = ("Tag no.", "Length (m)", "Width (cm)", "Thickness (cm)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """One log: length in metres, breadth and height in centimetres."""

    length: Decimal
    breadth: Decimal
    height: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One lorry load; `lengths` in metres, the first most frequent, `thickness` a range in cm."""

    name: str
    type: str
    vehicle_number: str
    city_id: int
    log_count: int
    lengths: tuple[str, ...]
    thickness: tuple[int, int]

    def logs(self) -> Sequence[Measures]:
        """Return its logs, always the same ones."""
        rng = random.Random(self.name)  # noqa: S311 - measures need no secrets
        weights = [6, *[1] * (len(self.lengths) - 1)]
        return [
            Measures(
                length=Decimal(rng.choices(self.lengths, weights)[0]),
                breadth=_half_centimetres(rng, self.thickness),
                height=_half_centimetres(rng, self.thickness),
            )
            for _ in range(self.log_count)
        ]


def _pinewood(name: str, vehicle_number: str, *, city_id: int, log_count: int) -> Load:
    return Load(
        name=name,
        type="pinewood",
        vehicle_number=vehicle_number,
        city_id=city_id,
        log_count=log_count,
        lengths=("4.20", "3.90", "4.05", "4.50"),
        thickness=(23, 35),
    )


def _hardwood(name: str, vehicle_number: str, *, city_id: int, log_count: int) -> Load:
    return Load(
        name=name,
        type="hardwood",
        vehicle_number=vehicle_number,
        city_id=city_id,
        log_count=log_count,
        lengths=("3.10", "2.80", "3.40"),
        thickness=(28, 45),
    )


def _half_centimetres(rng: random.Random, thickness: tuple[int, int]) -> Decimal:
    thinnest, thickest = thickness
    return Decimal(rng.randint(thinnest * 2, thickest * 2)) / 2


# From the oldest to the newest; the cities are those of `timba.demo.files`.
LOADS = (
    _pinewood("AB-0182", "PK 6054", city_id=3, log_count=48),
    _hardwood("AB-0183", "HF 1172", city_id=12, log_count=37),
    _pinewood("AB-0184", "KB 4417", city_id=7, log_count=66),
    _hardwood("AB-0185", "LM 8830", city_id=12, log_count=41),
    _pinewood("AB-0186", "JT 2209", city_id=7, log_count=58),
    _pinewood("AB-0187", "KB 4417", city_id=7, log_count=62),
)


def tally_sheet() -> bytes:
    """Return an .xlsx workbook whose columns have a forest owner's own titles."""
    book = Workbook()
    page = book.worksheets[0]
    page.title = "Tally"
    page.append([f"Late logs of {SHEET_LOAD}, cut at Renda"])
    page.append([])
    page.append(_HEADER)
    for cell in (page["A1"], *page[3]):
        cell.font = Font(bold=True)
    for row in _rows():
        page.append(row)
    page.column_dimensions["A"].width = 18
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _rows() -> list[tuple[Any, ...]]:
    rng = random.Random(SHEET_NAME)  # noqa: S311 - measures need no secrets
    return [
        (
            f"RF-{4471 + number}",
            rng.choice((3.1, 2.8, 3.4)),
            rng.randint(56, 90) / 2,
            _INVALID_THICKNESS.get(number, rng.randint(56, 90) / 2),
        )
        for number in range(_ROWS)
    ]
