"""The cache of footers is limited by their size, not by their number."""

from __future__ import annotations

import io
import uuid
from typing import Any

import numpy as np

from timba.temperatures.readings import stored_readings
from timba.temperatures.readings.stored_readings import StoredReadings, read_footer
from timba.temperatures.readings.writing import ReadingsWriter


def test_footers_take_no_more_memory_than_their_limit() -> None:
    """A footer may take megabytes, so the number of footers is no limit."""
    sink = io.BytesIO()
    ones: Any = np.ones(400, dtype=np.int32)
    with ReadingsWriter(sink, client_id=1, file_id=uuid.uuid4(), row_group_size=1) as writer:
        writer.add(ones, ones.astype(np.int64), ones)
    data = sink.getvalue()
    read_footer.cache_clear()
    size = stored_readings.footer_memory(
        read_footer(StoredReadings(key="0", open=lambda: io.BytesIO(data)))
    )
    assert size > 1_000_000
    for number in range(1, 200):
        read_footer(StoredReadings(key=str(number), open=lambda: io.BytesIO(data)))
    assert read_footer.size_bytes == stored_readings.MAX_FOOTER_BYTES // size * size
    read_footer.cache_clear()
