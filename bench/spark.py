"""Spark over processes of this machine, against Timba's own answer, and against fewer processes.

    make spark
    .venv/bin/python bench/spark.py [--readings 8000000]

The statistics of all cities are computed by Timba, by DuckDB from the objects of the Iceberg table,
and by Spark from that table; then Spark parses the raw files, with one executor and with two, each
of one core. What Spark takes until its first task runs is told apart. It has no bars: the machine
decides how much two processes are faster than one, and whether the table is large enough for Spark.
"""

# ruff: noqa: E402 - Django must be configured before Timba is imported

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = tempfile.TemporaryDirectory()
ROOT: Final = Path(_FOLDER.name)
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "timba.config.settings.base",
    "TIMBA_DATA_DIR": _FOLDER.name,
    "DATABASE_URL": f"sqlite:///{_FOLDER.name}/timba.sqlite3",
    "STORAGE_URL": "",
    "BROKER_URL": "",
}
# Not this folder itself, whose module of the same name is not the examples' one.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import django

django.setup()
logging.disable(logging.WARNING)

import duckdb
from django.core.management import call_command

from tests.temperatures.large_files import write_readings
from tests.temperatures.uploads import settle_readings
from timba.accounts.models import User
from timba.accounts.services import open_client
from timba.files.models import File
from timba.temperatures.lake.catalog import catalog_url, open_table, warehouse
from timba.temperatures.statistics.bounds import TimeRange, parse_timestamp
from timba.temperatures.statistics.city_list import list_cities
from tools.servers.machine import ServerUnavailable
from tools.spark.jobs import FinishedJob, build_wheel, ensure_spark, iceberg_jars, submit

FILES, CITIES = 16, 1000
# Odd seconds: readings have to be read, totals are not enough.
START, STOP = "2025-01-01T00:30:07Z", "2025-01-01T07:00:11Z"
_DUCKDB: Final = """
    SELECT client_id, city_id, count(*), min(temperature), max(temperature), sum(temperature),
        min(read_at), max(read_at)
    FROM read_parquet(?) WHERE read_at >= ?::TIMESTAMPTZ AND read_at < ?::TIMESTAMPTZ GROUP BY ALL
"""


def main() -> None:
    """Compare all; exit with status 1 only where Spark is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readings", type=int, default=8_000_000)
    options = parser.parse_args()
    try:
        ensure_spark()
    except ServerUnavailable as error:
        sys.exit(f"  {error}")
    call_command("migrate", verbosity=0)
    print(f"  {os.cpu_count()} cores, {options.readings:,} readings in {FILES} files", flush=True)
    paths = write_files(options.readings // FILES)
    wheel = build_wheel(ROOT)
    compare_statistics(paths, wheel)
    compare_executors(wheel)


def write_files(readings: int) -> list[Path]:
    """Write files of as many readings each in a folder of their own, and return their paths."""
    write_readings(ROOT / "readings.csv", readings, CITIES, 60)
    text = (ROOT / "readings.csv").read_bytes()
    (ROOT / "raw").mkdir()
    paths = [ROOT / "raw" / f"{number}.csv" for number in range(FILES)]
    for number, path in enumerate(paths):
        # Otherwise the second file would be a duplicate of the first.
        path.write_bytes(b"1,20.00,1980-01-01T00:00:%02dZ\n" % number + text)
    return paths


def compare_statistics(paths: list[Path], wheel: Path) -> None:
    """Compute the statistics of all cities within bounds by Timba, DuckDB and Spark."""
    staff = User.unscoped.create(username="bench", is_staff=True)
    client = open_client(actor=staff, name="Bench")
    for path in paths:
        file = settle_readings(path.read_bytes(), actor=staff, client=client, name=path.name)
        assert file.status == File.Status.SUCCESS
    publishing = seconds(lambda: call_command("lake", once=True))
    print(f"  timba lake --once                  {publishing:8.2f} s")
    whole = seconds(lambda: list_cities(client.pk, limit=CITIES))
    print(f"  Timba, all cities                  {whole:8.3f} s")
    bounds = TimeRange(start=parse_timestamp(START), stop=parse_timestamp(STOP))
    timba = seconds(lambda: list_cities(client.pk, limit=CITIES, bounds=bounds))
    print(f"  Timba, all cities within bounds    {timba:8.2f} s")
    objects = [task.file.file_path for task in open_table().scan().plan_files()]
    scanner = duckdb.connect()
    duck = seconds(lambda: scanner.execute(_DUCKDB, [objects, START, STOP]).fetchall())
    print(f"  DuckDB over the objects            {duck:8.2f} s, {duck / timba:.2f} × Timba's")
    job = run(
        "statistics",
        *("city_statistics.py", f"--from={START}", f"--to={STOP}"),
        f"--catalog=jdbc:sqlite:{catalog_url().database}",
        f"--warehouse={warehouse()}",
        wheel=wheel,
    )
    print(f"  Spark, two executors               {job.working:8.2f} s, ", end="")
    print(
        f"{job.working / timba:.2f} × Timba's, after {job.starting:.1f} s for its start", flush=True
    )


def compare_executors(wheel: Path) -> None:
    """Parse the raw files with one executor and with two."""
    working = {}
    for executors in (1, 2):
        job = run(
            *(f"raw-{executors}", "count_raw_files.py", ROOT / "raw"),
            wheel=wheel,
            executors=executors,
        )
        working[executors] = job.working
        print(f"  raw files, executors: {executors}            {job.working:8.2f} s, ", end="")
        print(f"after {job.starting:.1f} s for its start", flush=True)
    print(f"  one executor takes                 {working[1] / working[2]:8.2f} × the time of two")


def run(
    name: str, script: str, *arguments: str | Path, wheel: Path, executors: int = 2
) -> FinishedJob:
    """Run a job as on a cluster: its JVMs compile for speed, not for a quick start."""
    folder = ROOT / name
    folder.mkdir()
    return submit(
        *(folder, script, *arguments, folder / "output"),
        executors=executors,
        python_files=(wheel,),
        settings={"spark.jars": ",".join(map(str, iceberg_jars().iterdir()))},
        java_options="",
    )


def seconds(work: Callable[[], Any]) -> float:
    """Return the time of `work` in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
