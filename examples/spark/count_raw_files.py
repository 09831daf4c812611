#!/usr/bin/env python3
"""Counts the readings in a folder of raw temperature files, far too many for one machine, by Spark.

Each file is read once, as a stream, by the parser that Timba itself uses: the same layouts are
recognised, the same lines accepted, the same rejected for the same reasons. Executors need Timba's
wheel, numpy and pyarrow; docs/spark.md shows how to send the wheel. Parquet is written:

- `files`: for each file the readings that are counted, the bad lines, and the question that it asks
  or the reason why it is refused; neither counts any reading;
- `rejects`: each bad line with its number and the reason;
- `cities_by_file` and `cities`: exact totals in whole hundredths of a degree Celsius.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from pyarrow.fs import FileSelector, FileSystem, FileType
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, functions

from timba.files.processors.base import FileRefused
from timba.temperatures.file_parsing import (
    FILE_HEAD_BYTES,
    decide_file_layout,
    explain_no_readings,
    parse_file,
)
from timba.temperatures.layout.layouts import Layout
from timba.temperatures.lines.blocks import UnreadableFile
from timba.temperatures.lines.parsing import Reject
from timba.temperatures.readings.sorting import sort_readings
from timba.temperatures.readings.totals import CityColumns, merge_totals, total_by_city

# Files differ in size: the more tasks there are, the better are the executors kept busy.
TASKS_PER_CORE: Final = 16
# Totals by city that are held before they are merged.
MAX_PARTIALS: Final = 256 * 1024

# What is read of a file: rejects and totals while it is read, and last the file itself. In each row
# one of the three columns is not null.
SCHEMA: Final = """
    path string,
    file struct<accepted: bigint, rejected: bigint, question: string, error: string>,
    reject struct<line: bigint, reason: string, text: string>,
    totals struct<city_id: int, count: bigint, sum_hundredths: bigint, min_hundredths: int,
                  max_hundredths: int, first_us: bigint, last_us: bigint>
"""
Row = tuple[str, tuple[Any, ...] | None, tuple[Any, ...] | None, tuple[Any, ...] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="folder of the files: a path or an address such as s3://…")
    parser.add_argument("output", help="folder of the results, which must not exist")
    arguments = parser.parse_args()
    folder = (
        arguments.folder if "://" in arguments.folder else str(Path(arguments.folder).resolve())
    )
    spark = SparkSession.builder.appName("count_raw_files").getOrCreate()
    try:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        write_results(read_files(spark, folder), arguments.output)
    finally:
        spark.stop()


def read_files(spark: SparkSession, folder: str) -> DataFrame:
    """Return what is read of all files of a folder and the folders in it, with SCHEMA."""
    paths = list_files(folder)
    context = spark.sparkContext
    tasks = max(1, min(len(paths), TASKS_PER_CORE * context.defaultParallelism))
    # Dealt by size, so that each task gets about as much to read.
    parts = [paths[first::tasks] for first in range(tasks)]
    rows = context.parallelize(parts, tasks).flatMap(partial(parse_files, folder))
    return spark.createDataFrame(rows, SCHEMA, verifySchema=False)


def list_files(folder: str) -> list[str]:
    """Return the paths of all files within a folder, relative to it, the largest first."""
    filesystem, root = FileSystem.from_uri(folder)
    found = filesystem.get_file_info(FileSelector(root, recursive=True))
    files = [info for info in found if info.type is FileType.File]
    files.sort(key=lambda info: (-info.size, info.path))
    return [info.path.removeprefix(root).lstrip("/") for info in files]


def parse_files(folder: str, paths: list[str]) -> Iterator[Row]:
    """Yield the rows of some files; it runs on the executors."""
    filesystem, root = FileSystem.from_uri(folder)
    for path in paths:
        # By default pyarrow would decompress what is called `.gz`, whatever it is.
        open_file = partial(filesystem.open_input_stream, f"{root}/{path}", compression=None)
        yield from FileParser(path, open_file).rows()


class FileParser:
    """Parses one file into rows; memory use depends on the number of its cities at most."""

    def __init__(self, path: str, open_file: Any) -> None:
        self._path, self._open = path, open_file
        self._accepted = self._rejected = 0
        self._first_reject: list[Reject] = []
        self._partials: list[CityColumns] = []
        self._merge_above = MAX_PARTIALS

    def rows(self) -> Iterator[Row]:
        question = error = None
        try:
            with self._open() as stream:
                head = stream.read(FILE_HEAD_BYTES)
            decision = decide_file_layout(head, self._open)
            if decision.questions:
                question = decision.questions[0].sentence
            else:
                yield from self._parse(decision.layout)
                if not self._accepted:
                    error = explain_no_readings(self._first_reject, decision.layout)
        except FileRefused as refusal:
            error, self._rejected = str(refusal), 0
        except UnreadableFile as damage:
            error = damage.sentence(Path(self._path).name)
        if question is None and error is None:
            yield from self._totals()
        else:
            self._accepted = 0
        yield (self._path, (self._accepted, self._rejected, question, error), None, None)

    def _parse(self, layout: Layout) -> Iterator[Row]:
        """Add up the readings of all lines, and yield the rejects."""
        with self._open() as stream, closing(parse_file(stream, layout, threads=1)) as blocks:
            for parsed in blocks:
                cities, hundredths, times = parsed.readings
                if len(cities):
                    self._add(total_by_city(*sort_readings(cities, times, hundredths)))
                self._accepted += len(cities)
                self._rejected += len(parsed.rejects)
                self._first_reject = self._first_reject or parsed.rejects[:1]
                for reject in parsed.rejects:
                    yield (self._path, None, (reject.line, str(reject.reason), reject.text), None)

    def _add(self, totals: CityColumns) -> None:
        self._partials.append(totals)
        if sum(map(len, self._partials)) > self._merge_above:
            self._partials = [merge_totals(self._partials)]
            # Merging again and again without much effect would take most of the time.
            self._merge_above = max(MAX_PARTIALS, 2 * len(self._partials[0]))

    def _totals(self) -> Iterator[Row]:
        for city, totals in merge_totals(self._partials):
            values = (
                *(totals.count, totals.sum_hundredths),
                *(totals.min_hundredths, totals.max_hundredths, totals.first_at, totals.last_at),
            )
            yield (self._path, None, None, (city, *values))


def write_results(rows: DataFrame, output: str) -> None:
    """Write all results; each file is read only once for them."""
    rows = rows.persist(StorageLevel.DISK_ONLY)
    files = select(rows, "file")
    write(files, f"{output}/files")
    # A file of another table is refused as a whole, and the rejects before that table with it.
    with_rejects = files.where("rejected > 0").select("path")
    rejects = select(rows, "reject").join(with_rejects, "path", "left_semi")
    write(rejects, f"{output}/rejects")
    totals = select(rows, "totals")
    write(with_times(totals), f"{output}/cities_by_file")
    cities = totals.groupBy("city_id").agg(
        *(functions.sum(name).alias(name) for name in ("count", "sum_hundredths")),
        *(functions.min(name).alias(name) for name in ("min_hundredths", "first_us")),
        *(functions.max(name).alias(name) for name in ("max_hundredths", "last_us")),
    )
    write(with_times(cities), f"{output}/cities")


def write(rows: DataFrame, folder: str) -> None:
    """Write rows as Parquet, in few files: each of thousands of tasks has few rows."""
    rows.hint("rebalance").write.parquet(folder)


def select(rows: DataFrame, column: str) -> DataFrame:
    return rows.where(functions.col(column).isNotNull()).select("path", f"{column}.*")


def with_times(totals: DataFrame) -> DataFrame:
    """Return totals with times instead of microseconds since 1970."""
    return totals.select(
        *(name for name in totals.columns if not name.endswith("_us")),
        functions.timestamp_micros("first_us").alias("first_at"),
        functions.timestamp_micros("last_us").alias("last_at"),
    )


if __name__ == "__main__":
    main()
