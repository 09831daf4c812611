"""Which measures are far from those of the other logs of a load."""

from __future__ import annotations

from decimal import Decimal

import pytest

from timba.consignments.comparison import FarOff, find_far_off


def logs(*lengths: str) -> list[dict[str, Decimal]]:
    return [{"length": Decimal(length), "breadth": Decimal(30)} for length in lengths]


@pytest.mark.parametrize(
    ("length", "is_far"),
    [("12.599", False), ("12.6", True), ("42", True), ("1.401", False), ("1.4", True)],
)
def test_three_times_or_a_third_of_the_median_is_far(length: str, is_far: bool) -> None:
    others = logs("4.2", "4.1", "30.5", "4.2", "6")
    found = find_far_off({"length": Decimal(length)}, others)
    assert [each.median for each in found] == [Decimal("4.2")] * is_far


def test_each_measure_is_compared_with_its_own_kind() -> None:
    measures = {"length": Decimal("30.5"), "breadth": Decimal("4.2")}
    assert find_far_off(measures, logs("4.2", "4.2")) == [
        FarOff(
            name="length",
            value=Decimal("30.5"),
            median=Decimal("4.2"),
            others=2,
            are_equal=True,
        ),
        FarOff(name="breadth", value=Decimal("4.2"), median=Decimal(30), others=2, are_equal=True),
    ]


def test_the_first_log_of_a_load_has_nothing_to_be_compared_with() -> None:
    assert find_far_off({"length": Decimal("30.5")}, []) == []
