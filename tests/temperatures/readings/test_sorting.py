"""Sorting by packed keys gives what sorting by columns gives, whatever the ranges of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timba.temperatures.readings import sorting
from timba.temperatures.readings.sorting import sort_readings

# 1969-12-31 and 2199-12-31, as far as offsets from UTC can move the first and the last year.
EXTREMES = (-86_340_000_000, 7_258_204_799_999_999)
Row = tuple[int, int, int]


def sort_rows(rows: list[Row]) -> list[Row]:
    cities, times, hundredths = zip(*rows, strict=True)
    columns = sort_readings(
        np.array(cities, dtype=np.int32),
        np.array(times, dtype=np.int64),
        np.array(hundredths, dtype=np.int32),
    )
    assert [column.dtype for column in columns] == [np.int32, np.int64, np.int32]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def check(rows: list[Row]) -> None:
    result = sort_rows(rows)
    assert sorted(result) == sorted(rows)
    assert [row[:2] for row in result] == sorted(row[:2] for row in rows)


CITIES = [st.integers(1, 9), st.integers(1, 2**31 - 1), st.sampled_from([1, 2**31 - 1])]
TIMES = [
    st.integers(0, 99),
    st.integers(0, 10**6).map(lambda at: at * 1_000_000),
    st.integers(0, 10**9).map(lambda at: at * 1_000 + 7),
    st.integers(*EXTREMES),
    st.sampled_from(EXTREMES),
]
HUNDREDTHS = [st.integers(-9, 9), st.sampled_from([-27315, 99999])]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_readings_of_any_range_are_sorted(data: st.DataObject) -> None:
    reading = st.tuples(
        *(data.draw(st.sampled_from(column)) for column in (CITIES, TIMES, HUNDREDTHS))
    )
    check(data.draw(st.lists(reading, min_size=1, max_size=40)))


@pytest.mark.parametrize(
    ("greatest_city", "step", "count", "packed"),
    [
        (2**31 - 1, 1, 1, True),
        # 31 bits for the city, 17 for the temperature: 16 are left for the time.
        (2**31 - 1, 1, 2**16 - 1, True),
        (2**31 - 1, 1, 2**16, False),
        (2**31 - 1, 1_000_000, 2**16 - 1, True),
        (2**31 - 1, 1_000_000, 2**16, False),
        (2**31 - 1, 1_000, 2**16 - 1, True),
        (1, EXTREMES[1], 1, False),
        (1, 1_000_000, EXTREMES[1] // 1_000_000, True),
    ],
)
def test_keys_are_packed_only_where_every_bit_fits(
    greatest_city: int, step: int, count: int, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    sort_in_place = sorting._sort_in_place
    monkeypatch.setattr(
        sorting, "_sort_in_place", lambda keys: (used.append(len(keys)), sort_in_place(keys))
    )
    least = 2**31 - greatest_city if greatest_city > 1 else 1
    check(
        [
            (greatest_city, EXTREMES[0] + count * step, 99999),
            (least, EXTREMES[0] + count * step, -27315),
            (greatest_city, EXTREMES[0], -27315),
            (least, EXTREMES[0] + step, 99999),
            (least, EXTREMES[0], 99999),
        ]
    )
    assert used == ([5] if packed else [])


@pytest.mark.parametrize("run", [1, 3, 127, 128, 5000])
def test_long_runs_and_short_ones_are_sorted(run: int) -> None:
    check([(city % run + 1, city * 60_000_000, city * 37 % 99) for city in range(5000)])
