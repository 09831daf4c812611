"""The columns of a Parquet object of readings, as they are written and as they are read.

Apache Iceberg takes the objects as data files of a table as they are. So each has two columns whose
value never changes in it, the client and the file, and no Arrow schema in its metadata: Iceberg
knows no decimals of 32 bits. Objects of earlier versions have neither of these columns, call the
time `at`, and are read as decimals of 32 bits; the first three columns are otherwise the same.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import numpy as np
import pyarrow as pa

from timba.temperatures.readings.totals import Int32Array, Int64Array

# The columns of readings: city, time and temperature come first, also in earlier versions.
SCHEMA: Final = pa.schema(
    [
        pa.field("city_id", pa.int32(), nullable=False),
        pa.field("read_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("temperature", pa.decimal128(5, 2), nullable=False),
        pa.field("client_id", pa.int64(), nullable=False),
        pa.field("file_id", pa.string(), nullable=False),
    ]
)
VARYING: Final = SCHEMA.names[:3]
CONSTANT: Final = SCHEMA.names[3:]

_TEMPERATURE: Final = pa.decimal32(5, 2)
_FILE_ID: Final = pa.dictionary(pa.int8(), pa.string())
# The same columns in the types that cost least to write. What is written does not differ.
WRITTEN_SCHEMA: Final = SCHEMA.set(2, pa.field("temperature", _TEMPERATURE, nullable=False)).set(
    4, pa.field("file_id", _FILE_ID, nullable=False)
)


def make_table(
    cities: Int32Array,
    times: Int64Array,
    hundredths: Int32Array,
    *,
    client_id: int,
    file_id: uuid.UUID,
) -> Any:
    """Return readings of one file as an Arrow table with WRITTEN_SCHEMA.

    `times` are microseconds since 1970-01-01 UTC, `hundredths` are of a degree Celsius.
    """
    length = len(cities)
    first = pa.array(np.zeros(length, dtype=np.int8))
    return pa.table(
        [
            pa.array(cities),
            pa.array(times),
            # A decimal32(5, 2) is its hundredths.
            pa.array(hundredths, type=pa.int32()).view(_TEMPERATURE),
            pa.array(np.full(length, client_id, dtype=np.int64)),
            pa.DictionaryArray.from_arrays(first, pa.array([str(file_id)])),
        ],
        schema=WRITTEN_SCHEMA,
    )


def has_constant_columns(parquet: Any) -> bool:
    """Return whether an opened object was written with the columns of the client and the file."""
    names: list[str] = parquet.schema_arrow.names
    return set(CONSTANT) <= set(names)


def varying_columns(parquet: Any) -> list[str]:
    """Return the names of the columns of cities, times and temperatures in an opened object."""
    names: list[str] = parquet.schema_arrow.names
    return names[:3]


def to_times(column: Any) -> Int64Array:
    """Return a column of times as microseconds since 1970-01-01 UTC."""
    times: Int64Array = column.view(pa.int64()).to_numpy()
    return times


def to_hundredths(column: Any) -> Int32Array:
    """Return a column of temperatures as hundredths of a degree Celsius."""
    if column.type == _TEMPERATURE:
        hundredths: Int32Array = column.view(pa.int32()).to_numpy()
        return hundredths
    # A decimal of 128 bits is an integer, whose lower half comes first and holds the whole value.
    halves = np.frombuffer(column.buffers()[1], dtype="<i8")
    rows = slice(2 * column.offset, 2 * (column.offset + len(column)), 2)
    return halves[rows].astype(np.int32)
