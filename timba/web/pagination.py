"""Cuts long lists by keyset: more of a list never skips or repeats a row that came meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysetPage(Generic[M]):
    """Some rows, newest first; what is older lies before the id `more`, None where nothing is."""

    rows: list[M]
    more: int | None


def newest_first(rows: QuerySet[M], *, before: int | None, size: int) -> KeysetPage[M]:
    """Return the `size` newest of the rows, or of those with an id below `before`."""
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-id")[: size + 1])
    if len(found) <= size:
        return KeysetPage(rows=found, more=None)
    return KeysetPage(rows=found[:size], more=found[size - 1].pk)
