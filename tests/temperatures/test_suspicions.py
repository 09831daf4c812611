"""What is suspicious about readings is told, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.factories import ClientFactory
from tests.temperatures.conftest import Receive
from timba.accounts.models import User
from timba.files.models import File
from timba.files.services import delete_file
from timba.temperatures import suspicions
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.suspicions import (
    count_common,
    warn_of_error_values,
    warn_of_repeated,
)

HEADER = "city_id,temperature,timestamp\n"


def readings(days: range, *, city: int = 7) -> str:
    return HEADER + "".join(f"{city},{day}.00,2026-04-{day:02} 08:00\n" for day in days)


def warnings_of(file: File) -> list[dict[str, Any]]:
    assert (file.status, file.error) == (File.Status.SUCCESS, "")
    warnings: list[dict[str, Any]] = file.result["warnings"]
    return warnings


def test_values_of_failing_sensors_are_named_with_their_number() -> None:
    assert warn_of_error_values({}) == []
    assert warn_of_error_values({8500: 0}) == []
    assert warn_of_error_values({8500: 1, -12700: 2000, 99990: 1}) == [
        {
            "code": "error_values",
            "sentence": "This file has values that sensors send when they fail: "
            "−127.00 °C 2,000 times, 85.00 °C once, 999.90 °C once. They count as readings.",
            "count": 2002,
        }
    ]


def test_repeated_readings_are_counted() -> None:
    assert warn_of_repeated(0) == []
    assert warn_of_repeated(1) == [
        {
            "code": "repeated_readings",
            "sentence": "1 reading is of a city and time that this file has already. "
            "Each of them counts.",
            "count": 1,
        }
    ]
    assert warn_of_repeated(1200)[0]["sentence"].startswith("1,200 readings are of a city")


def test_common_readings_are_those_of_one_city_and_time() -> None:
    def columns(*pairs: tuple[int, int]) -> suspicions.Readings:
        cities, times = zip(*pairs, strict=True)
        return np.array(cities, dtype=np.int64), np.array(times, dtype=np.int64)

    own = columns((1, 10), (1, 10), (1, 11), (2, 10), (3, 12))
    assert count_common(own, columns((1, 10), (2, 11), (3, 12), (3, 12))) == 3
    assert count_common(own, columns((4, 10))) == 0


@pytest.mark.django_db
def test_a_logger_that_is_read_out_twice_is_told_by_name(settle: Receive, owner: User) -> None:
    assert warnings_of(settle(readings(range(2, 7)), name="april-1.csv")) == []
    second = settle(readings(range(2, 12)), name="april-2.csv")
    assert warnings_of(second) == [
        {
            "code": "overlapping_readings",
            "sentence": "5 readings are of a city and time that “april-1.csv” has too. They count "
            "twice until one of the two files is deleted.",
            "count": 5,
        }
    ]
    statistics = city_statistics(client_id=owner.client_id, city_id=7)
    assert statistics is not None
    assert statistics.totals is not None
    assert statistics.totals.count == 15


@pytest.mark.django_db
def test_readings_between_those_of_another_file_overlap_with_none(settle: Receive) -> None:
    settle(readings(range(2, 12)))
    later = readings(range(3, 9)).replace("08:00", "08:30")
    assert warnings_of(settle(later)) == []
    assert warnings_of(settle(readings(range(2, 12), city=8))) == []


@pytest.mark.django_db
def test_deleted_and_failed_files_and_those_of_others_overlap_with_nothing(
    settle: Receive, owner: User, make_user: Callable[..., User]
) -> None:
    delete_file(actor=owner, file=settle(readings(range(2, 12))))
    settle(readings(range(2, 12)), actor=make_user(client=ClientFactory()))
    assert warnings_of(settle(readings(range(2, 13)))) == []


@pytest.mark.django_db
def test_large_overlaps_are_compared_in_small_parts(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "CHUNK_READINGS", 3)
    text = "".join(readings(range(1, 29), city=city).removeprefix(HEADER) for city in range(1, 9))
    settle(text)
    overlapping = settle(text.replace("2026-04-05", "2026-05-05"))
    assert [warning["count"] for warning in warnings_of(overlapping)] == [27 * 8]


@pytest.mark.django_db
def test_files_beyond_a_limit_are_counted_but_not_compared(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "MAX_COMPARED", 1)
    settle(readings(range(2, 12)), name="first.csv")
    settle(readings(range(2, 11)), name="second.csv")
    assert [
        (warning["code"], warning["count"])
        for warning in warnings_of(settle(readings(range(2, 13)), name="third.csv"))
    ] == [("overlapping_readings", 10), ("overlaps_not_checked", 1)]
