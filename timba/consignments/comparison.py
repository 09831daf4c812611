"""Finds measures of a log that are far from those of the other logs of its load: pages ask then.

A measure is far off when it is at least three times, or at most a third of, the median of the
load's last 50 logs. Within one load lengths are cut alike and diameters differ by less than that;
what differs more is mostly a slip: a point left out, a unit mistaken, a value in the wrong box.
The script of the pages applies the same rule while logs are typed, with the constants from here.
The module is pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final

FAR_OFF_FACTOR: Final = 3
# So many of the newest logs of a load are compared with.
MAX_COMPARED: Final = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class FarOff:
    """A measure that is far from the median of the others; `are_equal` if they are all the same."""

    name: str
    value: Decimal
    median: Decimal
    others: int
    are_equal: bool


def find_far_off(
    measures: Mapping[str, Decimal], others: Sequence[Mapping[str, Decimal]]
) -> list[FarOff]:
    """Return those of a log's `measures` that are far from the `others` of its load.

    A load without other logs has nothing to compare with.
    """
    if not others:
        return []
    found = []
    for name, value in measures.items():
        values = [other[name] for other in others]
        middle = median(values)
        if value >= middle * FAR_OFF_FACTOR or value * FAR_OFF_FACTOR <= middle:
            are_equal = min(values) == max(values)
            found.append(
                FarOff(
                    name=name, value=value, median=middle, others=len(values), are_equal=are_equal
                )
            )
    return found
