"""Readings are read back exactly, from only the row groups that can hold them."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.temperatures.readings.test_totals import total_one_by_one
from timba.temperatures.readings import stored_readings
from timba.temperatures.readings.city_starts import OVERHEAD_BYTES, read_city_starts
from timba.temperatures.readings.columns import SCHEMA, has_constant_columns
from timba.temperatures.readings.stored_readings import (
    StoredReadings,
    iter_bucket_totals,
    iter_city_totals,
    open_parquet,
    read_cities,
    read_footer,
)
from timba.temperatures.readings.totals import Totals, merge_totals
from timba.temperatures.readings.writing import ReadingsWriter

FILE_ID = uuid.UUID("5f0c2a34-9d1b-4f6a-8a6e-0b7c1d2e3f40")
ANY_TIME = {"start": -(2**62), "stop": 2**62}
Row = tuple[int, int, int]


class CountingReader(io.BytesIO):
    """An object that counts the bytes read from all of its kind."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        CountingReader.taken += len(data)
        return data


def rows(rng: random.Random, count: int, cities: int) -> list[Row]:
    return [
        (
            rng.randrange(1, cities + 1),
            rng.randrange(-500, 500),
            rng.randrange(-27315, 1000),
        )
        for _ in range(count)
    ]


def columns(part: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cities, times, hundredths = zip(*part, strict=True) if part else ((), (), ())
    return (
        np.array(cities, dtype=np.int32),
        np.array(times, dtype=np.int64),
        np.array(hundredths, dtype=np.int32),
    )


def store(parts: Iterable[list[Row]], **limits: int) -> tuple[StoredReadings, ReadingsWriter]:
    sink = io.BytesIO()
    with ReadingsWriter(sink, client_id=5, file_id=FILE_ID, **limits) as writer:
        for part in parts:
            writer.add(*columns(part))
    return StoredReadings(
        key=uuid.uuid4().hex, open=lambda: CountingReader(sink.getvalue())
    ), writer


def read_city(stored: StoredReadings, city: int, **bounds: int) -> Totals | None:
    return read_cities(stored, [city], **bounds).get(city)


@pytest.mark.parametrize("max_partials", [10**6, 300, 20])
def test_all_readings_are_read_back_with_any_batch_size(
    max_partials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    monkeypatch.setattr(stored_readings, "MERGED_ROW_GROUPS", 3)
    monkeypatch.setattr(stored_readings, "MERGED_PARTIALS", max_partials)
    for cities in (1, 7, 400):
        everything = rows(rng, 1000, cities)
        parts = [everything[:3], [], everything[3:700], everything[700:]]
        stored, writer = store(parts, batch_size=150, row_group_size=40, max_partials=max_partials)
        expected = total_one_by_one(everything)
        folded = [row for part in iter_city_totals(stored) for row in part]
        assert folded == sorted(expected.items(), key=lambda row: row[0])
        assert (writer.totals is None) == (cities == 400 and max_partials < 1000)
        assert writer.totals is None or list(writer.totals) == folded
        for _ in range(8):
            start, stop = sorted(rng.choices(range(-510, 510), k=2))
            city = rng.randrange(1, cities + 2)
            inside = [row for row in everything if row[0] == city and start <= row[1] < stop]
            totals = read_city(stored, city, start=start, stop=stop)
            assert totals == total_one_by_one(inside).get(city)
            wanted = rng.sample(range(1, cities + 2), rng.randint(0, cities + 1))
            inside = [row for row in everything if row[0] in wanted and start <= row[1] < stop]
            assert read_cities(stored, wanted, start=start, stop=stop) == total_one_by_one(inside)


def test_bounds_include_the_start_and_exclude_the_stop() -> None:
    stored, _ = store([[(1, 10, 1), (1, 20, 2), (1, 20, 3), (1, 30, 4)]])
    assert read_city(stored, 1, start=10, stop=20).count == 1  # type: ignore[union-attr]
    assert read_city(stored, 1, start=20, stop=30).count == 2  # type: ignore[union-attr]
    assert read_city(stored, 1, start=20, stop=20) is None
    assert read_city(stored, 1, start=30, stop=20) is None
    assert read_city(stored, 2, **ANY_TIME) is None


def test_only_row_groups_that_can_hold_the_city_are_read() -> None:
    rng = random.Random(4)
    stored, _ = store([rows(rng, 60_000, 200)], row_group_size=300)
    read_footer(stored)
    CountingReader.taken = 0
    assert read_city(stored, 100, **ANY_TIME) is not None
    few = CountingReader.taken
    for part in iter_city_totals(stored):
        assert len(part)
    assert few * 20 < CountingReader.taken - few


def test_only_row_groups_that_can_hold_the_time_are_read() -> None:
    stored, _ = store([[(1, at, at % 7919) for at in range(50_000)]], row_group_size=500)
    read_footer(stored)
    CountingReader.taken = 0
    assert read_city(stored, 1, start=25_510, stop=25_600).count == 90  # type: ignore[union-attr]
    few = CountingReader.taken
    assert len(list(iter_city_totals(stored))) == 1
    assert few * 20 < CountingReader.taken - few


@pytest.mark.parametrize("has_sums", [True, False])
def test_row_groups_of_one_city_within_the_time_count_by_their_totals(
    has_sums: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_sums:  # as in objects of earlier versions
        monkeypatch.setattr(stored_readings, "SUMS_KEY", b"other")
    of_one_city = [(2, at, at % 7919 - 4000) for at in range(5000)]
    stored, _ = store([[(1, 0, 5), *of_one_city, (3, 0, 7)]], row_group_size=100)
    read_footer(stored)
    for start, stop in [(1010, 1020), (999, 3998), (1000, 4000)]:
        CountingReader.taken = 0
        totals = read_city(stored, 2, start=start, stop=stop)
        assert totals == total_one_by_one(of_one_city[start:stop])[2]
        if start == 1010:
            one_row_group = CountingReader.taken
    assert (CountingReader.taken < 3 * one_row_group) == has_sums
    buckets = list(iter_bucket_totals(stored, 2, start=10, stop=5000, width=1000))
    merged = merge_totals(buckets)
    assert merged.cities.tolist() == [0, 1, 2, 3, 4]
    assert merged.counts.tolist() == [990, 1000, 1000, 1000, 1000]
    assert merged.total() == total_one_by_one(of_one_city[10:])[2]
    assert (len(buckets[0]) > 30) == has_sums


def test_cities_of_a_row_group_are_read_once_and_those_of_one_city_never() -> None:
    stored, _ = store([[(city, at, at) for city in (1, 1, 2, 4) for at in range(50)]])
    only, _ = store([[(3, at, at) for at in range(50)]])
    for read, city, count, reads_cities in [
        *[(stored, 2, 50, True), (stored, 1, 100, False), (stored, 4, 50, False)],
        *[(only, 3, 50, False), (only, 3, 50, False)],
    ]:
        columns = [read_footer(read).metadata.row_group(0).column(n) for n in range(3)]
        sizes = [column.total_compressed_size for column in columns]
        CountingReader.taken = 0
        # Not all readings: those would count by the totals of the row group.
        totals = read_city(read, city, start=1, stop=2**62)
        assert totals is not None
        assert (totals.count, totals.first_at) == (count - count // 50, 1)
        assert CountingReader.taken == sum(sizes[0 if reads_cities else 1 :])
    CountingReader.taken = 0
    assert read_city(stored, 3, **ANY_TIME) is None
    assert CountingReader.taken == 0


def test_where_cities_begin_takes_as_much_memory_as_they_are_many() -> None:
    read_city_starts.cache_clear()
    for cities in (2, 30_000):
        stored, _ = store([[(city, 0, city) for city in range(1, cities + 1)]])
        before = read_city_starts.size_bytes
        assert read_city(stored, 2, **ANY_TIME) is not None
        added = read_city_starts.size_bytes - before - OVERHEAD_BYTES
        assert added == 4 * cities + 4 * (cities + 1)


def test_a_footer_is_read_once_for_each_key() -> None:
    stored, _ = store([[(1, 2, 3)]])
    again = StoredReadings(key=stored.key, open=lambda: io.BytesIO(b"never opened"))
    footer = read_footer(stored)
    assert read_footer(again) is footer


def test_the_extremes_of_every_column_are_read_back() -> None:
    extremes = [(2**31 - 1, 7_258_204_799_999_999, 99999), (1, -86_340_000_000, -27315)]
    stored, writer = store([extremes])
    assert list(writer.totals or ()) == sorted(total_one_by_one(extremes).items())
    assert read_city(stored, 2**31 - 1, **ANY_TIME) == total_one_by_one(extremes)[2**31 - 1]
    assert read_city(stored, 1, **ANY_TIME) == total_one_by_one(extremes)[1]


def test_the_object_is_plain_parquet_for_other_engines() -> None:
    stored, _ = store([[(7, 1_748_779_200_000_000, 2150), (7, 0, -5)]])
    with stored.open() as source:
        table = pq.read_table(source)
    assert table.schema.equals(SCHEMA)
    assert [str(row["temperature"]) for row in table.to_pylist()] == ["-0.05", "21.50"]
    assert table.column("read_at").to_pylist()[1].isoformat() == "2025-06-01T12:00:00+00:00"
    assert [(row["client_id"], row["file_id"]) for row in table.to_pylist()] == [
        (5, str(FILE_ID)),
        (5, str(FILE_ID)),
    ]
    column = read_footer(stored).metadata.row_group(0).column(2)
    assert column.physical_type == "INT32"
    assert column.compression == "ZSTD"
    assert "DELTA_BINARY_PACKED" in column.encodings


def test_an_object_of_an_earlier_version_is_read_like_a_new_one() -> None:
    rows = [(1, 5, -27315), (1, 70_000_000, 2150), (7, 0, -5), (7, 70_000_000, 99999)]
    stored, _ = store([rows])
    cities, times, hundredths = columns(rows)
    older = pa.table(
        {
            "city_id": cities,
            "at": pa.array(times, type=pa.timestamp("us", tz="UTC")),
            "temperature": pa.array(hundredths).view(pa.decimal32(5, 2)),
        }
    )
    sink = io.BytesIO()
    pq.write_table(older, sink, store_decimal_as_integer=True, use_dictionary=False)
    earlier = StoredReadings(key=uuid.uuid4().hex, open=lambda: io.BytesIO(sink.getvalue()))
    for bounds in (ANY_TIME, {"start": 1, "stop": 70_000_000}):
        for asked in ([1], [7], [1, 7]):
            assert read_cities(earlier, asked, **bounds) == read_cities(stored, asked, **bounds)
    assert [list(part) for part in iter_city_totals(earlier)] == [
        list(part) for part in iter_city_totals(stored)
    ]
    with open_parquet(stored) as new, open_parquet(earlier) as old:
        assert (has_constant_columns(new), has_constant_columns(old)) == (True, False)


def test_a_dense_file_takes_under_two_and_a_half_bytes_a_reading() -> None:
    minutes, cities = 1000, 300
    parts = [
        [
            (city, minute * 60_000_000, 1500 + (minute * 37 + city * 11) % 200)
            for city in range(1, cities + 1)
        ]
        for minute in range(minutes)
    ]
    sink = io.BytesIO()
    with ReadingsWriter(sink, client_id=5, file_id=FILE_ID) as writer:
        for part in parts:
            writer.add(*columns(part))
    assert len(sink.getvalue()) / (minutes * cities) < 2.5


def test_a_file_without_readings_is_an_object_without_rows() -> None:
    stored, writer = store([])
    assert writer.totals is None
    assert read_city(stored, 1, **ANY_TIME) is None


def test_error_values_of_sensors_are_counted() -> None:
    temperatures = [8500, 8500, -12700, 99990, 8499, 2150, -9990, 0, 8500]
    _, writer = store([[(1, at, t) for at, t in enumerate(temperatures)]], batch_size=4)
    assert writer.error_values == {8500: 3, -12700: 1, 99990: 1, -9990: 1}
    assert store([[(1, 0, 2150)]])[1].error_values == {}


def add_and_fail(writer: ReadingsWriter) -> None:
    with writer:
        writer.add(*columns([(1, 2, 3)]))
        raise ZeroDivisionError


def test_an_error_while_writing_leaves_no_totals() -> None:
    writer = ReadingsWriter(io.BytesIO(), client_id=5, file_id=FILE_ID)
    with pytest.raises(ZeroDivisionError):
        add_and_fail(writer)
    assert writer.totals is None
