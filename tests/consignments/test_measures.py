"""Volumes of logs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from timba.consignments.measures import volume


@pytest.mark.parametrize(
    ("length", "breadth", "height", "expected"),
    [
        ("4", "30", "25", "0.300"),  # 4 x 30 x 25 / 10,000 = 0.3
        ("4.05", "31.5", "28", "0.357"),  # 3,572.1 / 10,000 = 0.35721
        ("1", "5", "1", "0.001"),  # 5 / 10,000 = 0.0005: half a litre is rounded up
        ("1", "4.999", "1", "0.000"),  # 0.0004999 is less than half
        ("9999.999", "9999.999", "9999.999", "99999970.000"),  # 9.9999970000003e11 / 10,000
    ],
)
def test_volume_is_exact_and_rounded_half_up(
    length: str, breadth: str, height: str, expected: str
) -> None:
    found = volume(length=Decimal(length), breadth=Decimal(breadth), height=Decimal(height))
    assert str(found) == expected
