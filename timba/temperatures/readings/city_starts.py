"""Where each city begins in a row group, so that a city is found without decoding all cities again.

A row group is sorted by city, then time, and an object never changes under its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from timba.temperatures.bounded_cache import bounded_cache
from timba.temperatures.readings.totals import Int32Array

# The bytes of all that is cached, and of one row group besides its arrays.
MAX_CACHE_BYTES: Final = 16 * 1024 * 1024
OVERHEAD_BYTES: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class CityStarts:
    """The cities in a row group, in order, and the row where each begins.

    `starts` has one item more than `cities`: the number of rows.
    """

    cities: Int32Array
    starts: Int32Array

    def rows(self, city_id: int) -> slice:
        """Return the rows of a city, none if the row group does not have it."""
        first, after = self.cities.searchsorted([city_id, city_id + 1])
        return slice(int(self.starts[first]), int(self.starts[after]))


def city_starts_memory(starts: CityStarts) -> int:
    """Return about how many bytes of memory a result takes, with its key."""
    return OVERHEAD_BYTES + starts.cities.nbytes + starts.starts.nbytes


@bounded_cache(
    max_bytes=MAX_CACHE_BYTES, size_of=city_starts_memory, key=lambda _, key, group: (key, group)
)
def read_city_starts(parquet: Any, key: str, group: int) -> CityStarts:  # noqa: ARG001
    """Return where each city begins in a row group of `parquet`, the opened object.

    Cached by the key of the object. Raises OSError.
    """
    count = parquet.metadata.row_group(group).num_rows
    (column,) = read_first(parquet, group, ["city_id"], count)
    cities = column.to_numpy()
    starts = np.concatenate([[0], np.flatnonzero(cities[1:] != cities[:-1]) + 1, [count]])
    return CityStarts(cities=cities[starts[:-1]], starts=starts.astype(np.int32))


def read_first(parquet: Any, group: int, columns: list[str], count: int) -> list[Any]:
    """Return the first `count` values of these columns of a row group; the rest is not decoded."""
    batch = next(
        parquet.iter_batches(
            batch_size=count, row_groups=[group], columns=columns, use_threads=False
        )
    )
    assert len(batch) == count  # noqa: S101 - columns of fixed width come in one piece
    return list(batch.columns)
