"""A temperature file is counted, against DuckDB's bare min/avg/max scan of the same file.

    .venv/bin/python bench/readings.py [dense] [sparse] [variants] [orm] [memory] [cities]
        [--readings 10000000] [--pairs 3]

The database is that of `DATABASE_URL`, or a new SQLite one; for PostgreSQL:

    tools/services run --durable postgres -- .venv/bin/python bench/readings.py

A file is accepted as a view accepts it. Then its processing is timed, in a process that has done it
before, until its readings count. The scan reads typed columns and checks nothing. Both are timed in
turn. Compare ratios: absolute times mean nothing on shared machines.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import argparse
import csv
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = tempfile.TemporaryDirectory()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
os.environ.setdefault("DATABASE_URL", f"sqlite:///{_FOLDER.name}/timba.sqlite3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django

django.setup()
logging.disable(logging.WARNING)

import duckdb
from django.core.management import call_command
from django.db import connection, models

from tests.temperatures.large_files import PLAIN, Written, write_readings
from timba.accounts.models import Client, User
from timba.accounts.services import open_client
from timba.files.models import File
from timba.files.processing import process_file
from timba.files.receiving import Upload, accept_files
from timba.files.services import delete_file
from timba.temperatures.models import CityTotals

PARTS: Final = ("dense", "sparse", "variants", "orm", "memory", "cities")
MAX_RATIO, MAX_VARIANT, MIN_BULK, MIN_CREATE = 3.2, 1.6, 50, 500
MAX_MEGABYTES, MAX_MEGABYTES_OF_CITIES = 400, 512
CITIES: Final = 2_000_000
BULK, ONE_BY_ONE = 100_000, 2_000
_SCAN: Final = """
    SELECT city_id, min(temperature), avg(temperature), max(temperature)
    FROM read_csv(?, header = false, columns = {
        'city_id': 'INTEGER', 'temperature': 'DECIMAL(9, 2)', 'at': 'TIMESTAMPTZ'})
    GROUP BY city_id
"""
VARIANTS: Final = {
    "1 % bad lines": Written(bad=True),
    "CRLF": Written(end="\r\n"),
    "offsets +02:00": Written(timestamp="{}+02:00"),
    "fractions .000Z": Written(timestamp="{}.000Z"),
    "semicolons, decimal commas": Written(delimiter=";", decimal=","),
}


def main() -> None:
    """Run the parts that are asked for, or all; fail with the bars that were missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    bench = Bench(readings=options.readings, pairs=options.pairs)
    if options.one:
        bench.process_one(Path(options.one))
        return
    print(f"  {connection.vendor}, {os.cpu_count()} cores, {options.readings:,} readings")
    for part in options.parts or PARTS:
        getattr(bench, part)()
    if bench.missed:
        sys.exit("  missed: " + "; ".join(bench.missed))


class Bench:
    """Measures, and remembers which limits were missed."""

    def __init__(self, *, readings: int, pairs: int) -> None:
        self.readings, self.pairs = readings, pairs
        self.missed: list[str] = []
        self.counted = 0
        # Of the last file that was counted.
        self.cpu_seconds = 0.0
        staff, _ = User.unscoped.get_or_create(username="bench", is_staff=True)
        self._actor = staff
        self._client = Client.objects.first() or open_client(actor=staff, name="Bench")

    def dense(self) -> None:
        """A thousand cities, a reading a minute of each."""
        self._compare_with_scan("dense", temperature_file("dense", self.readings, 1000, 60))

    def sparse(self) -> None:
        """Thousands of cities, a reading every six hours of each."""
        self._compare_with_scan("sparse", temperature_file("sparse", self.readings, 6849, 6 * 3600))

    def variants(self) -> None:
        """The same readings, written in other ways."""
        clean = temperature_file("clean", self.readings // 3, 1000, 60)
        for name, written in VARIANTS.items():
            other = temperature_file("other", self.readings // 3, 1000, 60, written)
            ratios = [self.count(other, written) / self.count(clean) for _ in range(self.pairs)]
            self._report(name, ratios, "× the plain file", at_most=MAX_VARIANT)

    def orm(self) -> None:
        """The same readings as rows of a table with an index, by `bulk_create` and one by one."""
        path = temperature_file("orm", self.readings // 3, 1000, 60)
        per_reading = self.count(path) / (self.readings // 3)
        with connection.schema_editor() as editor:
            editor.create_model(PlainReading)
        try:
            bulk = seconds(lambda: create_in_bulk(path))
            self._report(
                "bulk_create of 5,000", [bulk / BULK / per_reading], "× its time", at_least=MIN_BULK
            )
            one = seconds(lambda: create_one_by_one(path))
            self._report(
                "objects.create",
                [one / ONE_BY_ONE / per_reading],
                "× its time",
                at_least=MIN_CREATE,
            )
        finally:
            with connection.schema_editor() as editor:
                editor.delete_model(PlainReading)

    def memory(self) -> None:
        """Ever more readings, each file in a process of its own that has counted none before."""
        for readings in (self.readings // 10, self.readings, 5 * self.readings):
            path = temperature_file("memory", readings, 1000, 60)
            elapsed = self._measure_memory(f"{readings:,} readings", path, MAX_MEGABYTES)
            print(f"    {elapsed:.1f} s, {elapsed / readings * 1e6:.2f} µs a reading")

    def cities(self) -> None:
        """Two readings of each of two million cities."""
        path = temperature_file("cities", 2 * CITIES, CITIES, 3600)
        self._measure_memory(f"{CITIES:,} cities", path, MAX_MEGABYTES_OF_CITIES)

    def count(self, path: Path, written: Written = PLAIN) -> float:
        """Accept a file; return how long it took from then until its readings counted."""
        upload = Upload(name=path.name)
        # Otherwise the second file would be a duplicate of the first.
        upload.write(written.line("1", "20.00", f"1980-01-01T00:00:{self.counted:02}").encode())
        self.counted += 1
        with path.open("rb") as source:
            while chunk := source.read(1024 * 1024):
                upload.write(chunk)
        upload.finish()
        upload.identify(kind="temperatures")
        [accepted] = accept_files(actor=self._actor, client=self._client, uploads=[upload])
        started = time.process_time()
        elapsed = seconds(lambda: process_file(accepted.file.pk))
        self.cpu_seconds = time.process_time() - started
        file = File.unscoped.get(pk=accepted.file.pk)
        assert file.status == File.Status.SUCCESS, file.error
        assert CityTotals.unscoped.filter(file=file).count() == file.result["cities"]
        # The next file has the same readings: both would be compared, and told to overlap.
        delete_file(actor=self._actor, file=file)
        return elapsed

    def process_one(self, path: Path) -> None:
        """Count one file; print the seconds and this process's peak memory in megabytes."""
        elapsed = self.count(path)
        # Not from `getrusage`, which counts in what the parent process had.
        status = Path("/proc/self/status").read_text()
        print(elapsed, int(status.split("VmHWM:")[1].split()[0]) / 1024)

    def _compare_with_scan(self, name: str, path: Path) -> None:
        scanner = duckdb.connect()
        scanner.execute("SET threads = 2")

        def scan() -> None:
            assert scanner.execute(_SCAN, [str(path)]).fetchall()

        seconds(scan)
        self.count(path)
        ratios, cpu_ratios = [], []
        for _ in range(self.pairs):
            counted = self.count(path)
            started = time.process_time()
            ratios.append(counted / seconds(scan))
            cpu_ratios.append(self.cpu_seconds / (time.process_time() - started))
        self._report(name, ratios, "× the bare scan", at_most=MAX_RATIO)
        print(f"    {statistics.median(cpu_ratios):.2f} × its CPU time")

    def _measure_memory(self, name: str, path: Path, limit: int) -> float:
        command = [sys.executable, __file__, "--one", str(path)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        elapsed, megabytes = map(float, output.split())
        self._report(name, [megabytes], "MB", at_most=limit)
        return elapsed

    def _report(
        self, name: str, values: list[float], unit: str, *, at_most: float = 0, at_least: float = 0
    ) -> None:
        """Print the median of some ratios and their range, and compare it with a limit."""
        middle = statistics.median(values)
        spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
        limit = f"at most {at_most}" if at_most else f"at least {at_least}"
        is_missed = (at_most and middle > at_most) or middle < at_least
        bar = f"{limit}: {'missed' if is_missed else 'met'}"
        print(f"  {name:<34} {middle:8.2f} {unit}{spread}, {bar}", flush=True)
        if is_missed:
            self.missed.append(name)


class PlainReading(models.Model):
    """The usual way to store readings."""

    city_id = models.IntegerField()
    temperature = models.DecimalField(max_digits=5, decimal_places=2)
    at = models.DateTimeField()

    class Meta:
        app_label = "bench"
        indexes = [models.Index(fields=["city_id", "at"], name="bench_by_city")]

    def __str__(self) -> str:
        return str(self.pk)


def create_in_bulk(path: Path) -> None:
    """Create rows of the first lines of a file, as it is usually done."""
    with path.open(newline="") as file:
        lines = islice(csv.reader(file), BULK)
        PlainReading.objects.bulk_create(map(read_line, lines), batch_size=5000)


def create_one_by_one(path: Path) -> None:
    """Create each row of the first lines of a file."""
    with path.open(newline="") as file:
        for line in islice(csv.reader(file), ONE_BY_ONE):
            read_line(line).save()


def read_line(line: list[str]) -> PlainReading:
    """Return the row of a line."""
    city, temperature, at = line
    return PlainReading(
        city_id=int(city), temperature=Decimal(temperature), at=datetime.fromisoformat(at)
    )


def temperature_file(
    name: str, readings: int, cities: int, step: int, written: Written = PLAIN
) -> Path:
    """Return the path of a new file: see `write_readings`."""
    path = Path(_FOLDER.name, f"{name}.csv")
    write_readings(path, readings, cities, step, written)
    return path


def seconds(work: Callable[[], Any]) -> float:
    """Return the time of `work` in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
