"""Statistics of one city: 100 files of 1 M readings, and 10 files of 10 M readings of one city.

    .venv/bin/python bench/city_statistics.py

The objects are written by the ReadingsWriter and the totals staged as by the worker, in a new
SQLite database. Bounds are random odd seconds, and nothing is cached but footers. The table that is
compared with holds a tenth of the readings, 10 M, and so a tenth of those of the city: a table of
them all would take as many times longer. Compare ratios: absolute times mean nothing on shared
machines; the CPU time is what a query takes on an idle one.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported
# ruff: noqa: SLF001 - the caches of results are turned off

from __future__ import annotations

import logging
import os
import random
import sqlite3
import sys
import tempfile
import time
import timeit
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": f"sqlite:///{_FOLDER.name}/timba.sqlite3",
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
# Not this folder itself, whose module of the same name is not Python's `statistics`.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import django

django.setup()
logging.disable(logging.WARNING)

import numpy as np
from django.core.management import call_command
from django.db import transaction

from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.files.models import Derivative, File
from timba.files.storage import new_key, store
from timba.temperatures.lines.timestamp_fields import DAY, MINUTE, SECOND
from timba.temperatures.readings import stored_readings
from timba.temperatures.readings.writing import ReadingsWriter
from timba.temperatures.services import renew_data_version, stage_totals
from timba.temperatures.statistics import cities, series
from timba.temperatures.statistics.bounds import TimeRange, parse_timestamp
from timba.temperatures.statistics.cities import city_statistics
from timba.temperatures.statistics.series import Bucket, city_series

MILLION: Final = 1_000_000
BEGIN: Final = parse_timestamp("2024-01-01")
QUERIES: Final = 60
LEAST_RATIO: Final = 100
Readings = tuple[Any, Any, Any]


def main() -> None:
    """Print the percentiles of bounded statistics and series, and the ratio to an aggregate.

    Exit with status 1 if a bar was missed.
    """
    call_command("migrate", verbosity=0)
    staff = User.unscoped.create(username="bench", is_staff=True)

    def client_with(name: str, files: int, readings: Callable[[int], Iterator[Readings]]) -> Client:
        print(f"{files} files, {name}:")
        client = open_client(actor=staff, name=name)
        for number in range(files):
            add_file(client, readings(number))
        return client

    minutes = 1000 * MINUTE
    disjoint = client_with("disjoint", 100, lambda n: cities_by_minute(BEGIN + n * minutes))
    missed = [compare_with_table(disjoint)]
    cities._cached._max_bytes = series._cached._max_bytes = 0
    missed.append(bounded("a statistic within bounds", disjoint, 100 * minutes, limit=6))
    month_of_hours(disjoint, 100 * minutes)
    same = client_with("all overlapping", 100, lambda n: cities_by_minute(BEGIN + n * SECOND // 2))
    missed.append(bounded("a statistic within bounds", same, minutes, limit=60))
    bounded("the same, in two row groups a file", same, minutes, city_id=33)
    one = client_with("one city", 10, lambda n: one_city(BEGIN + n * 10 * MILLION * SECOND))
    bounded("a statistic within bounds", one, 100 * MILLION * SECOND)
    month_of_hours(one, 100 * MILLION * SECOND)
    with_sums = stored_readings.read_footer
    stored_readings.read_footer = lambda stored: replace(with_sums(stored), sums=None)  # type: ignore[assignment]
    bounded("the same without sums of row groups", one, 100 * MILLION * SECOND)
    sys.exit(any(missed))


def cities_by_minute(begin: int) -> Iterator[Readings]:
    """Yield a million readings: of 1,000 cities, each minute."""
    rng = np.random.default_rng(begin % 2**32)
    cities = np.tile(np.arange(1, 1001, dtype=np.int32), 1000)
    times = begin + np.repeat(np.arange(1000, dtype=np.int64), 1000) * MINUTE
    yield cities, times, rng.integers(-3000, 4000, MILLION, dtype=np.int32)


def one_city(begin: int) -> Iterator[Readings]:
    """Yield ten million readings of city 7, each second."""
    rng = np.random.default_rng(begin % 2**32)
    for part in range(10):
        times = begin + np.arange(part * MILLION, (part + 1) * MILLION, dtype=np.int64) * SECOND
        values = rng.integers(-3000, 4000, MILLION, dtype=np.int32)
        yield np.full(MILLION, 7, dtype=np.int32), times, values


def add_file(client: Client, readings: Iterator[Readings]) -> None:
    """Add a file with these readings that counts, as the worker does."""
    key = new_key()
    file = File.unscoped.create(
        client=client, kind="temperatures", storage_key=new_key(), status="SUCCESS", run=1
    )
    Derivative.objects.create(file=file, run=1, is_current=True, role="readings", storage_key=key)
    sink = store().create(key)
    with ReadingsWriter(sink, client_id=client.pk, file_id=file.pk) as writer:
        for columns in readings:
            writer.add(*columns)
    sink.commit()
    assert writer.totals is not None
    stage_totals(
        client_id=client.pk,
        file_id=file.pk,
        run=1,
        cities=writer.totals,
        writing=transaction.atomic,
    )
    renew_data_version(client_id=client.pk)


def random_bounds(rng: random.Random, span: int) -> TimeRange:
    """Return bounds within a span, at odd seconds."""
    start, stop = sorted(BEGIN + rng.randrange(span // SECOND) * SECOND + 1 for _ in range(2))
    return TimeRange(start=start, stop=stop)


def bounded(
    name: str, client: Client, span: int, *, city_id: int = 7, limit: float | None = None
) -> bool:
    """Print the percentiles of statistics within bounds; return whether the limit was missed."""
    rng = random.Random(5)

    def compute() -> None:
        city_statistics(client_id=client.pk, city_id=city_id, bounds=random_bounds(rng, span))

    return print_percentiles(name, compute, limit)


def month_of_hours(client: Client, span: int) -> None:
    """Print the percentiles of hourly series of 30 days."""
    rng = random.Random(6)

    def compute() -> None:
        start = random_bounds(rng, span - 30 * DAY).start
        bounds = TimeRange(start=start, stop=start + 30 * DAY)
        city_series(client_id=client.pk, city_id=7, bucket=Bucket.HOUR, bounds=bounds)

    print_percentiles("an hourly series of 30 days", compute)


def compare_with_table(client: Client) -> bool:
    """Print how much faster a statistic without bounds is than an aggregate over 10 M rows.

    The statistic is of ten times as many readings. Returns whether the computed one misses the bar.
    """
    table = sqlite3.connect(f"{_FOLDER.name}/table.sqlite3")
    table.execute("CREATE TABLE reading (city INTEGER, at INTEGER, hundredths INTEGER)")
    for n in range(10):
        for readings in cities_by_minute(BEGIN + n * 1000 * MINUTE):
            rows = zip(*(column.tolist() for column in readings), strict=True)
            table.executemany("INSERT INTO reading VALUES (?, ?, ?)", rows)
    table.execute("CREATE INDEX by_city ON reading (city, at)")
    table.commit()
    columns = "count(*), sum(hundredths), min(hundredths), max(hundredths), min(at), max(at)"
    aggregate = f"SELECT {columns} FROM reading WHERE city = 7"
    query = median(lambda: table.execute(aggregate).fetchall())
    cached = median(lambda: city_statistics(client_id=client.pk, city_id=7))
    work = cities._cached._function  # what computes a result that is not cached
    computed = median(lambda: work(client.pk, 7, TimeRange(), uuid.uuid4()))
    is_missed = query / computed < LEAST_RATIO
    print(
        f"  no bounds, of 100 M readings: {query / computed:.0f} × the aggregate over 10 M rows, "
        f"at least {LEAST_RATIO}: {'missed' if is_missed else 'met'}; {query / cached:.0f} × cached"
    )
    return is_missed


def print_percentiles(name: str, work: Callable[[], Any], limit: float | None = None) -> bool:
    """Print the median and the 95th percentile of the times of `work`, in milliseconds.

    Returns whether the 95th percentile is above the limit.
    """
    for _ in range(5):  # the first ones read footers
        work()
    times, cpu_times = [], []
    for _ in range(QUERIES):
        started, cpu_started = time.perf_counter(), time.process_time()
        work()
        times.append(1000 * (time.perf_counter() - started))
        cpu_times.append(1000 * (time.process_time() - cpu_started))
    wall, cpu = (
        "p50 {:.1f}, p95 {:.1f} ms".format(*np.percentile(each, [50, 95]))
        for each in (times, cpu_times)
    )
    is_missed = limit is not None and bool(np.percentile(times, 95) > limit)
    outcome = "missed" if is_missed else "met"
    told = "" if limit is None else f" (p95 at most {limit} ms: {outcome})"
    print(f"  {name:<36} {wall}{told}; CPU {cpu}", flush=True)
    return is_missed


def median(work: Callable[[], Any]) -> float:
    """Return the median time of `work` in seconds."""
    work()
    return float(np.median(timeit.repeat(work, number=1, repeat=21)))


if __name__ == "__main__":
    main()
