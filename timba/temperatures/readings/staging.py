"""Inserts totals of many cities at once, in the fastest way that each database knows.

There may be millions of rows. The ORM takes ten times as long for each, and no other transaction
can write to SQLite meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from timba.temperatures.models import CityTotals
from timba.temperatures.readings.totals import CityColumns, Int64Array

# The columns and their types in PostgreSQL's binary format.
_COLUMNS: Final = {
    "client_id": ">i8",
    "file_id": "V16",
    "run": ">i4",
    "city_id": ">i4",
    "count": ">i8",
    "sum_hundredths": ">i8",
    "min_hundredths": ">i4",
    "max_hundredths": ">i4",
    "first_at": ">i8",
    "last_at": ">i8",
}
_INSERT: Final = (
    f"INSERT INTO temperatures_citytotals ({', '.join(_COLUMNS)}) "  # noqa: S608 - constants
    f"VALUES ({', '.join(['%s'] * len(_COLUMNS))})"
)
_COPY: Final = f"COPY temperatures_citytotals ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
# A row is its number of fields, then each field after its length.
_ROW: Final = np.dtype(
    [("fields", ">i2")]
    + [
        item
        for name, kind in _COLUMNS.items()
        for item in ((f"{name}_length", ">i4"), (name, kind))
    ]
)
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END: Final = b"\xff\xff"
# Microseconds from 1970-01-01 to 2000-01-01, from which PostgreSQL counts.
_POSTGRES_EPOCH: Final = 946_684_800_000_000


def prepare_totals(
    *, client_id: int, file_id: uuid.UUID, run: int, cities: CityColumns
) -> Callable[[], None]:
    """Return a function that inserts a row of totals for each city, in an open transaction."""
    if connection.vendor == "postgresql":
        return partial(_copy, _copy_data(client_id, file_id, run, cities))
    return partial(_insert, list(_rows(client_id, file_id, run, cities)))


def _copy(data: bytes) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(_COPY) as copy:
        copy.write(data)


def _insert(rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)


def _rows(
    client_id: int, file_id: uuid.UUID, run: int, cities: CityColumns
) -> Iterator[tuple[Any, ...]]:
    file = CityTotals._meta.get_field("file").get_db_prep_save(file_id, connection)
    return zip(
        *(repeat(value, len(cities)) for value in (client_id, file, run)),
        *(
            column.tolist()
            for column in (cities.cities, cities.counts, cities.sums, cities.lowest, cities.highest)
        ),
        *(map(str, _datetimes(column)) for column in (cities.firsts, cities.lasts)),
        strict=True,
    )


def _datetimes(times: Int64Array) -> list[Any]:
    """Return times in UTC as Django's backends for SQLite and MariaDB write them, by `str`."""
    datetimes: list[Any] = times.astype("datetime64[us]").tolist()
    return datetimes


def _copy_data(client_id: int, file_id: uuid.UUID, run: int, cities: CityColumns) -> bytes:
    values: tuple[npt.ArrayLike, ...] = (
        client_id,
        np.void(file_id.bytes),
        run,
        cities.cities,
        cities.counts,
        cities.sums,
        cities.lowest,
        cities.highest,
        cities.firsts - _POSTGRES_EPOCH,
        cities.lasts - _POSTGRES_EPOCH,
    )
    rows = np.empty(len(cities), dtype=_ROW)
    rows["fields"] = len(_COLUMNS)
    for name, value in zip(_COLUMNS, values, strict=True):
        rows[f"{name}_length"] = _ROW[name].itemsize
        rows[name] = value
    return b"".join([_COPY_HEADER, rows.tobytes(), _COPY_END])
