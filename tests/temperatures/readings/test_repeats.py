"""Repeated readings are counted exactly, in whichever batches they stand."""

from __future__ import annotations

import random

import pytest

from tests.temperatures.readings.test_writing import CountingReader, Row, store
from timba.temperatures.readings import repeats
from timba.temperatures.readings.repeats import iter_repeated
from timba.temperatures.readings.stored_readings import StoredReadings, read_footer
from timba.temperatures.readings.writing import ReadingsWriter

LIMITS = {"batch_size": 100, "row_group_size": 10}


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make windows of a few row groups."""
    monkeypatch.setattr(repeats, "WINDOW_ROW_GROUPS", 3)


def count_repeated(stored: StoredReadings, writer: ReadingsWriter) -> int:
    windows = iter_repeated(stored, writer.row_groups, writer.overlapping)
    return writer.repeated + sum(windows)


def count_one_by_one(rows: list[Row]) -> int:
    return len(rows) - len({row[:2] for row in rows})


@pytest.mark.parametrize("max_partials", [10**6, 60, 1])
@pytest.mark.parametrize("order", ["random", "time", "city", "one city"])
def test_repeated_readings_are_counted_in_any_order(order: str, max_partials: int) -> None:
    rng = random.Random(5)
    for times in (3, 40, 400):
        cities = 1 if order == "one city" else 30
        rows = [(rng.randint(1, cities), rng.randrange(times), n) for n in range(1500)]
        match order:
            case "time":
                rows.sort(key=lambda row: row[1])
            case "city":
                rows.sort()
        stored, writer = store([rows], **LIMITS, max_partials=max_partials)
        assert count_repeated(stored, writer) == count_one_by_one(rows) > 0


def test_one_reading_again_and_again_takes_a_window_of_one_row_a_batch() -> None:
    stored, writer = store([[(7, 60, 2150)] * 2500], **LIMITS)
    assert writer.repeated == 2500 - 25
    assert count_repeated(stored, writer) == 2499


def test_batches_with_the_same_readings_are_compared_in_several_windows() -> None:
    stored, writer = store([[(7, at, 1) for at in range(100)] * 25], **LIMITS)
    windows = list(iter_repeated(stored, writer.row_groups, writer.overlapping))
    assert windows == [10 * 24] * 10


def test_the_same_time_in_another_city_is_no_repetition() -> None:
    rows = [(city, at, 1) for at in range(20) for city in range(1, 30)]
    stored, writer = store([rows], **LIMITS)
    assert count_repeated(stored, writer) == 0


@pytest.mark.parametrize("by_city", [False, True])
def test_a_file_in_order_is_not_read_again(by_city: bool) -> None:
    rows = [(city, at, 1) for at in range(50) for city in range(1, 30)]
    _, writer = store([sorted(rows) if by_city else rows], **LIMITS)
    assert writer.overlapping is not None
    assert writer.overlapping.tolist() == []


def test_only_windows_of_cities_that_may_repeat_are_read() -> None:
    rows = [(city, at, 1) for at in range(60) for city in range(1, 400)]
    limits = {"batch_size": 6000, "row_group_size": 100}
    stored, writer = store([rows[:12_000], [(200, 3, 1)], rows[12_000:]], **limits)
    assert writer.overlapping is not None
    assert writer.overlapping.tolist() == [200]
    read_footer(stored)
    CountingReader.taken = 0
    assert count_repeated(stored, writer) == 1
    few = CountingReader.taken
    assert sum(iter_repeated(stored, writer.row_groups, None)) == 1
    assert few * 5 < CountingReader.taken - few
