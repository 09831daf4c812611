"""What is suspicious about the readings of a file: it is told in warnings, and changes nothing.

Sensors that fail send certain values, a logger that is read out twice sends old readings again, and
a file that is uploaded beside another one may hold the same readings.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from django.db import connection

from timba.files.models import File
from timba.files.processors.base import Job
from timba.files.storage import StorageUnavailable
from timba.temperatures.models import CityTotals, is_counting
from timba.temperatures.readings.objects import stored_readings_of
from timba.temperatures.readings.stored_readings import (
    BoolArray,
    Footer,
    StoredReadings,
    iter_readings,
    read_footer,
)
from timba.temperatures.readings.totals import Int32Array, Int64Array

Warnings = list[dict[str, Any]]
Readings = tuple[Int64Array, Int64Array, Int64Array]
"""Cities, times, and how many readings stand together that have both: columns of one length."""

# Files that a file is compared with, those with most readings of its cities and times first.
MAX_COMPARED: Final = 20
# Readings of both files that are compared at a time.
CHUNK_READINGS: Final = 2 * 1024 * 1024
# Cities that two files have in common, and files that may overlap, that are queried at a time.
CITIES_AT_A_TIME: Final = 100_000
FILES_AT_A_TIME: Final = 200
# The progress while files are compared.
COMPARING: Final = 0.97
# Values in hundredths of a degree that are named in a sentence, the most frequent first.
_MAX_VALUES: Final = 5

# Of both staged and stale runs: which of them count is asked of the files.
_OVERLAPS: Final = """
    FROM temperatures_citytotals own
    JOIN temperatures_citytotals other
        ON other.client_id = own.client_id AND other.city_id = own.city_id
        AND other.last_at >= own.first_at AND other.first_at <= own.last_at
    WHERE own.file_id = %s AND own.run = %s AND other.file_id <> own.file_id
"""
_FILES: Final = f"""
    SELECT other.file_id, other.run {_OVERLAPS}
    GROUP BY other.file_id, other.run
    ORDER BY SUM(other.count) DESC, other.file_id
"""
_CITIES: Final = f"""
    SELECT own.city_id, own.count + other.count {_OVERLAPS}
    AND other.file_id = %s AND other.run = %s AND own.city_id > %s
    ORDER BY own.city_id
    LIMIT %s
"""


class _NotReadable(Exception):
    """The readings of another file cannot be read."""


def warn_of_error_values(counts: Mapping[int, int]) -> Warnings:
    """Return a warning of values that failing sensors send; the keys are hundredths of °C."""
    found = sorted(
        ((value, count) for value, count in counts.items() if count),
        key=lambda item: (-item[1], item[0]),
    )
    if not found:
        return []
    named = [f"{_degrees(value)} °C {_times(count)}" for value, count in found[:_MAX_VALUES]]
    if len(found) > _MAX_VALUES:
        named.append("and others")
    sentence = (
        "This file has values that sensors send when they fail: "
        f"{', '.join(named)}. They count as readings."
    )
    return [_warning("error_values", sentence, sum(counts.values()))]


def warn_of_repeated(count: int) -> Warnings:
    """Return a warning of readings of a city and time that stand in the file already."""
    if not count:
        return []
    readings = _quantity(count, "reading is", "readings are")
    counts = "It counts too." if count == 1 else "Each of them counts."
    sentence = f"{readings} of a city and time that this file has already. {counts}"
    return [_warning("repeated_readings", sentence, count)]


def warn_of_overlaps(job: Job) -> Warnings:
    """Return a warning for each other file that has readings of the same cities and times.

    The totals of the run are staged already, and its readings are stored. Raises OSError.
    """
    warnings = []
    own = stored_readings_of((job.file_id, job.run))
    others = _overlapping_files(job)
    unchecked = 0
    for file_id, run, name in islice(others, MAX_COMPARED):
        try:
            count = _count_common(job, own, file_id, run)
        except _NotReadable:
            unchecked += 1
            continue
        if count:
            readings = _quantity(count, "reading is", "readings are")
            counts = "It counts" if count == 1 else "They count"
            sentence = (
                f"{readings} of a city and time that “{name}” has too. {counts} twice until one "
                "of the two files is deleted."
            )
            warnings.append(_warning("overlapping_readings", sentence, count))
    unchecked += sum(1 for _ in others)
    if unchecked:
        files = _quantity(unchecked, "other file has", "other files have")
        sentence = (
            f"{files} readings of the same cities in the same period. Whether they are the same "
            "readings was not checked."
        )
        warnings.append(_warning("overlaps_not_checked", sentence, unchecked))
    return warnings


def _overlapping_files(job: Job) -> Iterator[tuple[uuid.UUID, int, str]]:
    """Yield (file, run, name) of the files whose readings may overlap, the largest first."""
    found = [(File._meta.pk.to_python(file), run) for file, run in _query(_FILES, job)]
    for first in range(0, len(found), FILES_AT_A_TIME):
        part = found[first : first + FILES_AT_A_TIME]
        job.progress(COMPARING)
        files = File.unscoped.filter(is_counting(), pk__in={file for file, _ in part})
        names = {(file, run): name for file, run, name in files.values_list("pk", "run", "name")}
        yield from ((file, run, names[file, run]) for file, run in part if (file, run) in names)


def _count_common(job: Job, own: StoredReadings, file_id: uuid.UUID, run: int) -> int:
    """Return how many readings of `own` have a city and time of one in another file.

    About CHUNK_READINGS of both are compared at a time. Raises OSError where `own` cannot be read,
    and _NotReadable where the other file cannot.
    """
    own_footer = read_footer(own)
    with _reading_other():
        other = stored_readings_of((file_id, run))
        other_footer = read_footer(other)
    common = 0
    for cities, readings in _chunks(_common_cities(job, file_id, run)):
        steps = -(-readings // CHUNK_READINGS)
        for window in pairwise(_window_bounds(own_footer, other_footer, cities, steps)):
            job.progress(COMPARING)
            with _reading_other():
                columns = _read(other, cities, *window)
            common += count_common(_read(own, cities, *window), columns)
    return common


@contextmanager
def _reading_other() -> Iterator[None]:
    """Raise _NotReadable for an object that is damaged, or was erased meanwhile."""
    try:
        yield
    except StorageUnavailable:
        raise
    except (KeyError, OSError, pa.ArrowException) as error:
        raise _NotReadable from error


def _common_cities(job: Job, file_id: uuid.UUID, run: int) -> Iterator[tuple[int, int]]:
    """Yield the cities that both files have at the same times, with the readings of both."""
    last = 0
    while rows := _query(_CITIES, job, _file_value(file_id), run, last, CITIES_AT_A_TIME):
        yield from rows
        last = rows[-1][0]


def _window_bounds(own: Footer, other: Footer, cities: Int64Array, steps: int) -> list[int]:
    """Return the bounds of `steps` windows or more, in which all common times of cities lie.

    Times may be distributed in any way. As many row groups begin in each window, so that it holds a
    bounded number of readings where most row groups are of one city. Steps of the same duration are
    for those of many cities, which all begin at the same time.
    """
    start = int(max(own.first_times.min(), other.first_times.min()))
    stop = int(min(own.last_times.max(), other.last_times.max())) + 1
    bounds = {start + (stop - start) * step // steps for step in range(steps + 1)}
    if steps > 1:
        times = np.sort(np.concatenate([_first_times(own, cities), _first_times(other, cities)]))
        inside = times[(times > start) & (times < stop)]
        bounds.update(inside[:: -(-len(inside) // steps) or 1].tolist())
    return sorted(bounds)


def _first_times(footer: Footer, cities: Int64Array) -> Int64Array:
    """Return the first times of the row groups that may hold one of these cities."""
    first, last = cities[0], cities[-1]
    may_hold = (footer.last_cities >= first) & (footer.first_cities <= last)
    times: Int64Array = footer.first_times[may_hold]
    return times


def count_common(own: Readings, other: Readings) -> int:
    """Return how many of these readings have a city and time of one of the others."""
    cities, times = (np.concatenate(columns) for columns in zip(other[:2], own[:2], strict=True))
    is_own = np.arange(len(cities)) >= len(other[0])
    counts = np.concatenate([np.zeros_like(other[2]), own[2]])
    # The sort is stable: of an equal city and time, readings of the other file come first.
    order = np.lexsort((times, cities))
    begins = _begins(cities[order], times[order])
    is_common = ~is_own[order][begins]
    return int(counts[order][is_common[np.cumsum(begins) - 1]].sum())


def _begins(cities: Int32Array | Int64Array, times: Int64Array) -> BoolArray:
    """Return which readings have another city or time than the one before them."""
    begins = np.ones(len(cities), dtype=bool)
    begins[1:] = (cities[1:] != cities[:-1]) | (times[1:] != times[:-1])
    return begins


def _read(stored: StoredReadings, cities: Int64Array, start: int, stop: int) -> Readings:
    """Return readings in [start, stop), those side by side that are alike as one.

    No window is too short for a file that repeats one reading without end.
    """
    empty = np.empty(0, dtype=np.int64)
    parts: list[Readings] = [(empty, empty, empty)]
    for of_cities, times, _ in iter_readings(stored, cities, start=start, stop=stop):
        first = np.flatnonzero(_begins(of_cities, times))
        counts = np.diff(np.append(first, len(times)))
        parts.append((of_cities[first].astype(np.int64), times[first], counts))
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return joined[0], joined[1], joined[2]


def _chunks(rows: Iterable[tuple[int, int]]) -> Iterator[tuple[Int64Array, int]]:
    """Yield cities of rows of (city, readings) with their readings, about CHUNK_READINGS each."""
    cities: list[int] = []
    readings = 0
    for city, count in rows:
        cities.append(city)
        readings += count
        if readings >= CHUNK_READINGS:
            yield np.array(cities, dtype=np.int64), readings
            cities, readings = [], 0
    if cities:
        yield np.array(cities, dtype=np.int64), readings


def _query(sql: str, job: Job, *params: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [_file_value(job.file_id), job.run, *params])
        return list(cursor.fetchall())


def _file_value(file_id: uuid.UUID) -> Any:
    return CityTotals._meta.get_field("file").get_db_prep_value(file_id, connection)


def _warning(code: str, sentence: str, count: int) -> dict[str, Any]:
    return {"code": code, "sentence": sentence, "count": count}


def _degrees(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}".replace("-", "\N{MINUS SIGN}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _quantity(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
