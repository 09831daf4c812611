"""What Timba answers about random files equals what an independent reader counts in them."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.temperatures.conftest import Receive
from tests.temperatures.reference import Written, read_plain, split_lines, statistics
from tests.temperatures.written_files import random_style, write_file
from timba.accounts.models import User
from timba.files.models import File
from timba.temperatures.schemas import serialize_city_statistics
from timba.temperatures.statistics.bounds import TimeRange, to_microseconds
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.statistics.city_list import list_cities

pytestmark = pytest.mark.django_db

SAMPLES = 25
BAD_LINES = (
    *(b"", b" ", b"no reading", b",,", b"1,2", b"1,2,3,4", b'"1",2.0,2026-01-01T00:00:00Z'),
    *(b"0,1,2026-01-01T00:00Z", b"2147483648,1,2026-01-01T00:00Z", b"-1,1,2026-01-01T00:00Z"),
    *(b"1,1e1,2026-01-01T00:00Z", b"1,.5,2026-01-01T00:00Z", b"1,5.,2026-01-01T00:00Z"),
    *(b"1,+5,2026-01-01T00:00Z", b"1,NaN,2026-01-01T00:00Z", b"1,1000,2026-01-01T00:00Z"),
    *(b"1,-273.155,2026-01-01T00:00Z", b"1,999.995,2026-01-01T00:00Z", b"1,1,2026-01-01"),
    *(b"1,1,2026-02-29T00:00Z", b"1,1,2026-01-01T24:00Z", b"1,1,2026-01-01T00:60Z"),
    *(b"1,1,2026-01-01T00:00:60Z", b"1,1,2026-01-01t00:00Z", b"1,1,2026-01-01T00:00z"),
    *(b"1,1,1969-12-31T23:59Z", b"1,1,2200-01-01T00:00Z", b"1,1,2026-72-01T00:00Z"),
    *(b"1,1,2026-01-01T00:00+24:00", b"1,1\0,2026-01-01T00:00Z", b"1,\xff1,2026-01-01T00:00Z"),
    *(b"1,1,2026-01-01T00:00 EET", b"1,1,2026-01-01T00:00\rZ"),
)


def random_plain_line(random_: random.Random) -> bytes:
    if random_.random() < 0.2:
        return random_.choice(BAD_LINES)
    city = random_.choice((1, 2, 3, 41, 2**31 - 1))
    digits = random_.choice(("", ".5", ".25", ".125", ".995", ".0049999", ".1000000"))
    temperature = f"{random_.choice(('', '-'))}{random_.randrange(0, 80)}{digits}"
    day = datetime(random_.choice((1970, 2000, 2024, 2199)), 1, 1, tzinfo=UTC)
    at = day + timedelta(days=random_.choice((0, 59, 60, 364)))
    at += timedelta(seconds=random_.choice((0, 3599, 86399, random_.randrange(86400))))
    text = at.strftime(f"%Y-%m-%d{random_.choice('T ')}%H:%M")
    if random_.random() < 0.8:
        text += at.strftime(":%S") + random_.choice(("", ".5", ".000", ".123456", ".1234569"))
    zone = random_.choice(("", "", "Z", "+02:00", "-1130", "+05", " UTC", " +0200"))
    if at.year in {1970, 2199} and random_.random() < 0.5:
        zone = "Z"
    blank = random_.choice(("", "", "", " ", "\t"))
    return f"{blank}{city}{blank},{blank}{temperature},{text}{zone}{blank}".encode()


def check_file(file: File, written: Written) -> None:
    """Compare the result of a file with what it holds."""
    assert (file.status, file.error) == (File.Status.SUCCESS, "")
    assert file.result["accepted"] == len(written.readings)
    assert file.result["rejected"] == len(written.bad)
    first_errors = [error["line"] for error in file.result["first_errors"]]
    assert first_errors == written.bad[:20]


def check_statistics(
    client_id: int, written: Written, start: datetime | None, stop: datetime | None
) -> None:
    """Compare the statistics of every city, alone and in the list, with what the files hold."""
    expected = statistics(written.within(start, stop))
    bounds = TimeRange(
        **({} if start is None else {"start": to_microseconds(start)}),
        **({} if stop is None else {"stop": to_microseconds(stop)}),
    )
    cities = sorted({city for city, _, _ in written.readings})
    found = [city_statistics(client_id=client_id, city_id=city, bounds=bounds) for city in cities]
    assert list_cities(client_id, limit=len(cities), bounds=bounds).rows == found
    for city, answer in zip(cities, found, strict=True):
        assert answer is not None
        assert without_name(serialize_city_statistics(answer)) == expected.get(city, empty(city))


def without_name(answer: Any) -> dict[str, Any]:
    temperatures = ("min_temp", "max_temp", "mean_temp")
    values = {name: value for name, value in answer.items() if name != "name"}
    return {
        name: round_trip(value) if name in temperatures else value for name, value in values.items()
    }


def round_trip(degrees: float | None) -> Any:
    return None if degrees is None else Decimal(repr(degrees)).quantize(Decimal("0.01"))


def empty(city: int) -> dict[str, Any]:
    times = {"first_at": None, "last_at": None}
    return {
        "city_id": city,
        "count": 0,
        "min_temp": None,
        "max_temp": None,
        "mean_temp": None,
    } | times


def random_bound(random_: random.Random, written: Written) -> datetime | None:
    if random_.random() < 0.2:
        return None
    at = random_.choice(written.readings)[2]
    return at + timedelta(microseconds=random_.choice((0, 0, 1, -1, 86_400_000_000)))


@pytest.mark.parametrize("seed", range(SAMPLES))
def test_a_plain_file_is_counted_as_the_contract_says(
    settle: Receive, owner: User, seed: int
) -> None:
    random_ = random.Random(seed)
    lines = [random_plain_line(random_) for _ in range(random_.choice((30, 300, 3000)))]
    lines.append(b"41,1.00,2026-01-31T00:00:00Z")
    end = random_.choice((b"\n", b"\r\n"))
    data = end.join(lines) + random_.choice((b"", end))
    written = read_plain(split_lines(data))
    if random_.random() < 0.3:
        data = b"\xef\xbb\xbf" + data
    name = random_.choice(("readings.csv", "readings.csv.gz"))
    if name.endswith(".gz"):
        data = gzip.compress(data)
    check_file(settle(data, name=name), written)
    for _ in range(4):
        bounds = random_bound(random_, written), random_bound(random_, written)
        check_statistics(owner.client_id, written, *bounds)


@pytest.mark.parametrize("seed", range(SAMPLES))
def test_a_file_in_another_layout_is_counted_as_it_was_written(
    settle: Receive, owner: User, seed: int
) -> None:
    random_ = random.Random(1000 + seed)
    style = random_style(random_)
    data, written = write_file(random_, style, lines=random_.choice((40, 400)))
    check_file(settle(data), written)
    for _ in range(4):
        bounds = random_bound(random_, written), random_bound(random_, written)
        check_statistics(owner.client_id, written, *bounds)
