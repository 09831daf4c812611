"""Files of millions of lines are counted to the last one; run by `make slow`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.temperatures.reference import iter_plain, statistics
from tests.temperatures.test_exactness import BAD_LINES, without_name
from timba.accounts.models import User
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.temperatures.schemas import serialize_city_statistics
from timba.temperatures.statistics.cities import CityStatistics
from timba.temperatures.statistics.city_list import list_cities

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
CHUNK = 1024 * 1024


def lines_with_bad_ones(number: int, *, cities: int) -> Iterator[bytes]:
    """Yield lines of which one in a hundred is bad, in every way that a line can be."""
    random_ = random.Random(13)
    ends = (b"Z", b"", b"+02:00", b".000Z", b".123456789-05:30")
    for index in range(number):
        if random_.random() < 0.01:
            yield random_.choice(BAD_LINES)
            continue
        minute, city = divmod(index, cities)
        at = (START + timedelta(minutes=minute)).isoformat()[:19].encode()
        degrees = b"%d.%d" % (random_.randrange(-40, 40), random_.randrange(100_000))
        yield b"%d,%s,%s%s" % (city + 1, degrees, at, ends[index % len(ends)])


def write(path: Path, lines: Iterator[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)
    return path


def settle(path: Path, owner: User) -> File:
    upload = Upload(name="readings.csv")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            upload.write(chunk)
    upload.finish()
    upload.identify(kind="temperatures")
    (accepted,) = accept_files(actor=owner, client=owner.client, uploads=[upload])
    assert process_file(accepted.file.pk)
    accepted.file.refresh_from_db()
    return accepted.file


def every_city(owner: User) -> Iterator[CityStatistics]:
    """Yield the statistics of all cities, page by page."""
    cursor = None
    while True:
        page = list_cities(owner.client_id, limit=1000, cursor=cursor)
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return


def check(path: Path, owner: User) -> None:
    file = settle(path, owner)
    bad: list[int] = []
    with path.open("rb") as lines:
        readings = iter_plain((line.removesuffix(b"\n").removesuffix(b"\r") for line in lines), bad)
        expected = statistics(readings)
    assert (file.status, file.error) == (File.Status.SUCCESS, "")
    assert file.result["accepted"] == sum(city["count"] for city in expected.values())
    assert file.result["rejected"] == file.result["rejects_kept"] == len(bad)
    assert file.result["cities"] == len(expected)
    found = [without_name(serialize_city_statistics(city)) for city in every_city(owner)]
    assert found == [expected[number] for number in sorted(expected)]


def test_ten_million_lines_with_bad_ones_are_counted_to_the_last(
    tmp_path: Path, owner: User
) -> None:
    check(write(tmp_path / "lines", lines_with_bad_ones(10_000_000, cities=1000)), owner)


def test_two_million_cities_in_one_file_are_counted_to_the_last(
    tmp_path: Path, owner: User
) -> None:
    numbers = list(range(1, 2_000_001))
    random.Random(14).shuffle(numbers)
    lines = (b"%d,%d.5,2026-01-01T00:00Z" % (number, number % 40) for number in numbers)
    check(write(tmp_path / "lines", lines), owner)
