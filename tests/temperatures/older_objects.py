"""Turns stored readings into an object as an earlier version wrote it."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from timba.files.models import Derivative, File
from timba.files.storage import new_key, store
from timba.temperatures.readings.columns import VARYING
from timba.temperatures.readings.writing import SUMS_KEY

_SCHEMA = pa.schema(
    [
        pa.field("city_id", pa.int32(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("temperature", pa.decimal32(5, 2), nullable=False),
    ]
)


def make_older(file: File) -> str:
    """Replace the readings of a file by the same ones in columns of an earlier version.

    Returns the key of the new object.
    """
    row = Derivative.objects.get(file=file, role="readings", is_current=True)
    sink = BytesIO()
    with store().open_bytes(row.storage_key) as stream:
        parquet = pq.ParquetFile(stream)
        with pq.ParquetWriter(sink, _SCHEMA, store_decimal_as_integer=True) as writer:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, columns=VARYING)
                writer.write_table(table.rename_columns(_SCHEMA.names).cast(_SCHEMA))
            sums = parquet.metadata.metadata[SUMS_KEY]
            writer.add_key_value_metadata({SUMS_KEY: sums})
    store().delete(row.storage_key)
    row.storage_key = new_key()
    row.size, row.sha256 = len(sink.getvalue()), sha256(sink.getvalue()).hexdigest()
    row.save()
    with store().create(row.storage_key) as stored:
        stored.write(sink.getvalue())
    return row.storage_key
