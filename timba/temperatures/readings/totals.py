"""Exact totals of readings: counts, sums of hundredths, extremes, first and last times.

Temperatures are whole hundredths of a degree Celsius, times are whole microseconds since
1970-01-01 UTC, and sums are 64-bit integers: even 10^13 readings of the highest temperature stay
below their limit. Nothing here is rounded except the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The totals of at least one reading; `first_at` and `last_at` are the times of readings."""

    count: int
    sum_hundredths: int
    min_hundredths: int
    max_hundredths: int
    first_at: int
    last_at: int

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            count=self.count + other.count,
            sum_hundredths=self.sum_hundredths + other.sum_hundredths,
            min_hundredths=min(self.min_hundredths, other.min_hundredths),
            max_hundredths=max(self.max_hundredths, other.max_hundredths),
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
        )

    @property
    def mean_hundredths(self) -> int:
        """The mean, rounded half away from zero to a whole hundredth of a degree."""
        magnitude = (2 * abs(self.sum_hundredths) + self.count) // (2 * self.count)
        return -magnitude if self.sum_hundredths < 0 else magnitude


@dataclass(frozen=True, kw_only=True, slots=True)
class CityColumns:
    """The totals of many cities as seven columns of equal length.

    `cities` is strictly increasing. `sums`, `lowest` and `highest` are hundredths of a degree
    Celsius; `firsts` and `lasts` are microseconds since 1970-01-01 UTC.
    """

    cities: Int32Array
    counts: Int64Array
    sums: Int64Array
    lowest: Int32Array
    highest: Int32Array
    firsts: Int64Array
    lasts: Int64Array

    @classmethod
    def of_one(cls, city_id: int, totals: Totals) -> Self:
        """Return the totals of one city as columns of length one."""
        return cls(
            cities=np.array([city_id], dtype=np.int32),
            counts=np.array([totals.count], dtype=np.int64),
            sums=np.array([totals.sum_hundredths], dtype=np.int64),
            lowest=np.array([totals.min_hundredths], dtype=np.int32),
            highest=np.array([totals.max_hundredths], dtype=np.int32),
            firsts=np.array([totals.first_at], dtype=np.int64),
            lasts=np.array([totals.last_at], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.cities)

    def __iter__(self) -> Iterator[tuple[int, Totals]]:
        """Yield each city's number and totals."""
        columns = (
            self.cities,
            self.counts,
            self.sums,
            self.lowest,
            self.highest,
            self.firsts,
            self.lasts,
        )
        for city, *values in zip(*(column.tolist() for column in columns), strict=True):
            count, total, lowest, highest, first, last = values
            yield (
                city,
                Totals(
                    count=count,
                    sum_hundredths=total,
                    min_hundredths=lowest,
                    max_hundredths=highest,
                    first_at=first,
                    last_at=last,
                ),
            )

    def total(self) -> Totals:
        """Return the totals of all cities together; raise ValueError if there is none."""
        return Totals(
            count=int(self.counts.sum()),
            sum_hundredths=int(self.sums.sum()),
            min_hundredths=int(self.lowest.min()),
            max_hundredths=int(self.highest.max()),
            first_at=int(self.firsts.min()),
            last_at=int(self.lasts.max()),
        )

    def batches(self, size: int) -> Iterator[CityColumns]:
        """Yield the same cities in order, at most `size` at a time, as views of the columns."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield CityColumns(
                cities=self.cities[part],
                counts=self.counts[part],
                sums=self.sums[part],
                lowest=self.lowest[part],
                highest=self.highest[part],
                firsts=self.firsts[part],
                lasts=self.lasts[part],
            )


def total_by_city(cities: Int32Array, times: Int64Array, hundredths: Int32Array) -> CityColumns:
    """Return the totals by city of at least one reading.

    The three columns have the same length and are sorted by city, then time.
    """
    starts, ends = _group_bounds(cities)
    return CityColumns(
        cities=cities[starts],
        counts=(ends - starts).astype(np.int64),
        sums=np.add.reduceat(hundredths, starts, dtype=np.int64),
        lowest=np.minimum.reduceat(hundredths, starts),
        highest=np.maximum.reduceat(hundredths, starts),
        firsts=times[starts],
        lasts=times[ends - 1],
    )


def merge_totals(parts: Sequence[CityColumns]) -> CityColumns:
    """Return the totals by city of all parts together.

    There must be at least one part, and no part may be empty; cities may occur in several parts.
    """
    cities = np.concatenate([part.cities for part in parts])
    order = np.argsort(cities, kind="stable")
    cities = cities[order]
    starts, _ = _group_bounds(cities)
    return CityColumns(
        cities=cities[starts],
        counts=np.add.reduceat(np.concatenate([p.counts for p in parts])[order], starts),
        sums=np.add.reduceat(np.concatenate([p.sums for p in parts])[order], starts),
        lowest=np.minimum.reduceat(np.concatenate([p.lowest for p in parts])[order], starts),
        highest=np.maximum.reduceat(np.concatenate([p.highest for p in parts])[order], starts),
        firsts=np.minimum.reduceat(np.concatenate([p.firsts for p in parts])[order], starts),
        lasts=np.maximum.reduceat(np.concatenate([p.lasts for p in parts])[order], starts),
    )


def overlapping_cities(parts: Sequence[CityColumns]) -> Int32Array:
    """Return the cities, in order, whose times from first to last overlap in two of the parts."""
    cities = np.concatenate([part.cities for part in parts])
    firsts = np.concatenate([part.firsts for part in parts])
    order = np.lexsort((firsts, cities))
    cities, firsts = cities[order], firsts[order]
    lasts = np.concatenate([part.lasts for part in parts])[order]
    # Of periods ordered by their starts, two that follow each other overlap if any two do.
    overlaps = (cities[1:] == cities[:-1]) & (firsts[1:] <= lasts[:-1])
    return np.unique(cities[1:][overlaps])


def _group_bounds(cities: Int32Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the half-open index ranges, as starts and ends, of equal values in a sorted column."""
    changes = np.flatnonzero(cities[1:] != cities[:-1]) + 1
    starts = np.concatenate([np.zeros(1, dtype=np.intp), changes])
    ends = np.concatenate([changes, np.array([len(cities)], dtype=np.intp)])
    return starts, ends
