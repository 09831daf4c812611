"""Keyset pagination by id: the next page never skips or repeats a row that was added meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysetPage(Generic[T]):
    """Some rows, newest first; the next page has those before `next_before`, None on the last."""

    rows: list[T]
    next_before: int | None


def paginate_newest_first(rows: QuerySet[M], *, before: int | None, size: int) -> KeysetPage[M]:
    """Return the `size` newest rows, or the newest of those with an id below `before`."""
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows.order_by("-id")[: size + 1])
    if len(page) <= size:
        return KeysetPage(rows=page, next_before=None)
    return KeysetPage(rows=page[:size], next_before=page[size - 1].pk)
