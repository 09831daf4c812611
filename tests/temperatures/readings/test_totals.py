"""Sums of integers, and the rounding of the mean."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.temperatures.readings.totals import CityColumns, Totals, merge_totals, total_by_city


def totals(**changes: int) -> Totals:
    values = {"count": 1, "sum_hundredths": 0, "min_hundredths": 0, "max_hundredths": 0}
    return Totals(**{**values, "first_at": 0, "last_at": 0, **changes})


@pytest.mark.parametrize(
    ("sum_hundredths", "count", "mean"),
    [
        (0, 3, 0),
        (5, 2, 3),  # 0.025 degrees: half is rounded away from zero
        (-5, 2, -3),
        (1, 3, 0),
        (-1, 3, 0),
        (2, 3, 1),
        (-2, 3, -1),
        (99999 * 10**13, 10**13, 99999),
        (10**13 * 2 - 1, 10**13 * 4, 0),  # just below the half, where a float is equal to the half
    ],
)
def test_the_mean_is_rounded_half_away_from_zero(
    sum_hundredths: int, count: int, mean: int
) -> None:
    assert totals(count=count, sum_hundredths=sum_hundredths).mean_hundredths == mean


@settings(deadline=None)
@given(st.integers(-(2**62), 2**62), st.integers(1, 2**40))
def test_the_mean_is_exact(sum_hundredths: int, count: int) -> None:
    mean = (Decimal(sum_hundredths) / count).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert totals(count=count, sum_hundredths=sum_hundredths).mean_hundredths == mean


def test_totals_add_up() -> None:
    one = Totals(
        count=2, sum_hundredths=30, min_hundredths=10, max_hundredths=20, first_at=5, last_at=9
    )
    other = Totals(
        count=1, sum_hundredths=-7, min_hundredths=-7, max_hundredths=-7, first_at=7, last_at=7
    )
    assert one + other == Totals(
        count=3, sum_hundredths=23, min_hundredths=-7, max_hundredths=20, first_at=5, last_at=9
    )


def by_city(readings: list[tuple[int, int, int]]) -> CityColumns:
    cities, times, hundredths = zip(*sorted(readings), strict=True)
    return total_by_city(
        np.array(cities, dtype=np.int32),
        np.array(times, dtype=np.int64),
        np.array(hundredths, dtype=np.int32),
    )


def total_one_by_one(readings: list[tuple[int, int, int]]) -> dict[int, Totals]:
    by_city: dict[int, Totals] = {}
    for city, at, degrees in readings:
        reading = totals(
            sum_hundredths=degrees,
            min_hundredths=degrees,
            max_hundredths=degrees,
            first_at=at,
            last_at=at,
        )
        by_city[city] = by_city[city] + reading if city in by_city else reading
    return by_city


READING = st.tuples(
    st.integers(1, 5) | st.just(2**31 - 1), st.integers(-9, 9), st.integers(-27315, 99999)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(READING, min_size=1), min_size=1))
def test_merged_totals_equal_totals_added_one_by_one(
    parts: list[list[tuple[int, int, int]]],
) -> None:
    folded = merge_totals([by_city(part) for part in parts])
    assert dict(folded) == total_one_by_one([reading for part in parts for reading in part])
    assert folded.cities.tolist() == sorted(set(folded.cities.tolist()))
    assert folded.total() == reduce(add, (totals for _, totals in folded))


def test_sums_exceed_thirty_two_bits() -> None:
    readings = [(1, 0, 99999)] * 50_000
    (_, result), *none = by_city(readings)
    assert result.sum_hundredths == 99999 * 50_000 > 2**32
    assert none == []


def test_batches_are_the_same_cities_in_parts() -> None:
    whole = by_city([(city, city, city) for city in range(1, 8)])
    parts = list(whole.batches(3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [row for part in parts for row in part] == list(whole)
