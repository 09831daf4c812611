"""What is suspicious about readings is told, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import ClientFactory
from tests.temperatures.conftest import Receive
from timba.accounts.models import User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.services import delete_file
from timba.files.storage import StorageUnavailable, store
from timba.temperatures import suspicions
from timba.temperatures.readings.writing import ReadingsWriter
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


def test_no_more_than_five_values_of_failing_sensors_are_named() -> None:
    [warning] = warn_of_error_values({hundredths: 9 - hundredths for hundredths in range(6)})
    assert warning["sentence"] == (
        "This file has values that sensors send when they fail: 0.00 °C 9 times, 0.01 °C 8 times, "
        "0.02 °C 7 times, 0.03 °C 6 times, 0.04 °C 5 times, and others. They count as readings."
    )
    assert warning["count"] == 39


def test_repeated_readings_are_counted() -> None:
    assert warn_of_repeated(0) == []
    assert warn_of_repeated(1) == [
        {
            "code": "repeated_readings",
            "sentence": "1 reading is of a city and time that this file has already. "
            "It counts too.",
            "count": 1,
        }
    ]
    assert warn_of_repeated(1200)[0]["sentence"].startswith("1,200 readings are of a city")


def test_common_readings_are_those_of_one_city_and_time() -> None:
    def columns(*rows: tuple[int, int, int]) -> suspicions.Readings:
        cities, times, counts = np.array(rows, dtype=np.int64).T
        return cities, times, counts

    own = columns((1, 10, 2), (1, 11, 1), (2, 10, 5), (3, 12, 1), (1, 10, 4))
    assert count_common(own, columns((1, 10, 7), (2, 11, 1), (3, 12, 1), (3, 12, 1))) == 7
    assert count_common(own, columns((4, 10, 1))) == 0


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
def test_one_reading_that_overlaps_is_told_as_one(settle: Receive) -> None:
    settle(readings(range(2, 7)), name="april-1.csv")
    [warning] = warnings_of(settle(readings(range(6, 12)), name="april-2.csv"))
    assert warning["sentence"] == (
        "1 reading is of a city and time that “april-1.csv” has too. It counts twice until one of "
        "the two files is deleted."
    )


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


@pytest.mark.django_db
def test_windows_hold_few_readings_however_their_times_are_distributed(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "CHUNK_READINGS", 30)
    monkeypatch.setitem(ReadingsWriter.__init__.__kwdefaults__, "row_group_size", 5)
    sizes: list[int] = []

    def count(own: suspicions.Readings, other: suspicions.Readings) -> int:
        sizes.append(len(own[0]) + len(other[0]))
        return count_common(own, other)

    monkeypatch.setattr(suspicions, "count_common", count)
    ends = "7,1.00,1970-01-01 00:00\n7,1.00,2199-12-31 00:00\n"
    lines = "".join(f"7,1.00,2026-04-01 08:{n // 60:02}:{n % 60:02}\n" for n in range(300))
    settle(HEADER + lines + ends)
    again = settle(HEADER + ends + lines.replace("08:04", "09:04"))
    assert [warning["count"] for warning in warnings_of(again)] == [242]
    assert max(sizes) <= 60


@pytest.mark.django_db
def test_a_reading_that_is_repeated_without_end_is_compared_as_few(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def count(own: suspicions.Readings, other: suspicions.Readings) -> int:
        sizes.append(len(own[0]) + len(other[0]))
        return count_common(own, other)

    monkeypatch.setattr(suspicions, "count_common", count)
    monkeypatch.setitem(ReadingsWriter.__init__.__kwdefaults__, "row_group_size", 10_000)
    line = "7,1.00,2026-04-01 08:00\n"
    settle(HEADER + line)
    again = settle(HEADER + line * 50_000 + "7,1.00,2026-04-01 09:00\n")
    assert [(warning["code"], warning["count"]) for warning in warnings_of(again)] == [
        ("repeated_readings", 49_999),
        ("overlapping_readings", 50_000),
    ]
    # One of each row group, and that of the other file.
    assert sizes == [6]


@pytest.mark.django_db
@pytest.mark.parametrize("is_erased", [False, True])
def test_a_file_whose_object_is_damaged_or_erased_is_not_compared(
    settle: Receive, is_erased: bool
) -> None:
    key = settle(readings(range(2, 7))).derivatives.get(role="readings").storage_key
    store().delete(key)
    if not is_erased:
        with store().create(key) as writer:
            writer.write(b"PAR1 damaged")
    assert warnings_of(settle(readings(range(2, 8)))) == [
        {
            "code": "overlaps_not_checked",
            "sentence": "1 other file has readings of the same cities in the same period. Whether "
            "they are the same readings was not checked.",
            "count": 1,
        }
    ]


@pytest.mark.django_db
def test_a_store_that_is_unavailable_is_no_damage_of_a_file() -> None:
    with pytest.raises(StorageUnavailable), suspicions._reading_other():
        raise StorageUnavailable


@pytest.mark.django_db
def test_a_run_that_lost_its_file_stops_between_two_windows(
    settle: Receive, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "CHUNK_READINGS", 3)
    settle(readings(range(1, 29)))
    file = receive(readings(range(1, 28)))
    compared: list[int] = []

    def count(own: suspicions.Readings, other: suspicions.Readings) -> int:
        File.unscoped.filter(pk=file.pk).update(fencing_token=99)
        compared.append(count_common(own, other))
        return compared[-1]

    monkeypatch.setattr(suspicions, "count_common", count)
    monkeypatch.setattr("timba.files.leases._PROGRESS_SECONDS", 0)
    process_file(file.pk)
    assert len(compared) == 1


@pytest.mark.django_db
def test_many_common_cities_are_queried_in_pages(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "CITIES_AT_A_TIME", 3)
    text = HEADER + "".join(f"{city},1.00,2026-04-01 08:00\n" for city in range(1, 9))
    settle(text)
    with CaptureQueriesContext(connection) as queries:
        again = settle(f"{text}9,1.00,2026-04-01 08:00\n")
    assert [warning["count"] for warning in warnings_of(again)] == [8]
    assert sum("LIMIT 3" in query["sql"] for query in queries) == 4


@pytest.mark.django_db
def test_files_that_overlap_are_found_in_slices_the_largest_first(
    settle: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicions, "FILES_AT_A_TIME", 2)
    names = [f"{last}.csv" for last in range(10, 15)]
    for last, name in enumerate(names, start=10):
        settle(readings(range(2, last)), name=name)
    found = [warning["sentence"] for warning in warnings_of(settle(readings(range(2, 20))))]
    assert [sentence.split("“")[1].split("”")[0] for sentence in found] == names[::-1]
