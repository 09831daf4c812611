"""Keyset pagination: rows that are added or deleted meanwhile make no page skip or repeat a row.

A cursor holds the values of the last row of a page in the columns of the order. The next page has
the rows that come after these values.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import models

from timba.errors import Invalid
from timba.serialization import dumps, loads

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
NEWEST_FIRST = ("-id",)
NO_CURSOR = "This is not a cursor that Timba gave."


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list; `next_cursor` is None on the last page."""

    rows: list[T]
    next_cursor: str | None


def paginate(
    rows: models.QuerySet[M, T],
    *,
    limit: int,
    cursor: str | None,
    order: tuple[str, ...] = NEWEST_FIRST,
) -> Page[T]:
    """Return the first `limit` rows, or the first after `cursor`, the `next_cursor` of a page.

    `order` names columns that cannot be null and together are unique; a leading minus means
    descending. Raises Invalid for a cursor that no page of these rows can have.
    """
    if cursor is not None:
        rows = rows.filter(_after(order, decode_cursor(cursor, rows.model, order)))
    page = list(rows.order_by(*order)[: limit + 1])
    if len(page) <= limit:
        return Page(rows=page, next_cursor=None)
    page.pop()
    last = [getattr(page[-1], name.removeprefix("-")) for name in order]
    return Page(rows=page, next_cursor=encode_cursor(last))


def encode_cursor(values: list[Any]) -> str:
    """Return the cursor of a page by the values of its last row."""
    return base64.urlsafe_b64encode(dumps(values)).decode().rstrip("=")


def decode_cursor(cursor: str, model: type[models.Model], order: tuple[str, ...]) -> list[Any]:
    """Return the values of the last row of a page; raise Invalid for what is not its cursor."""
    try:
        values = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if None in values:
            raise ValueError(cursor)
        return [_parse_value(model, name, value) for name, value in zip(order, values, strict=True)]
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        raise Invalid(fields={"cursor": [NO_CURSOR]}) from error


def _after(order: tuple[str, ...], values: list[Any]) -> models.Q:
    """Return the condition for rows after these values: a > x, or a = x and b > y, and so on."""
    condition = models.Q(pk__in=[])
    equal = models.Q()
    for name, value in zip(order, values, strict=True):
        field = name.removeprefix("-")
        lookup = "lt" if name.startswith("-") else "gt"
        condition |= equal & models.Q(**{f"{field}__{lookup}": value})
        equal &= models.Q(**{field: value})
    return condition


def _parse_value(model: type[models.Model], name: str, value: Any) -> Any:
    field = cast("models.Field[Any, Any]", model._meta.get_field(name.removeprefix("-")))
    if isinstance(field, models.IntegerField) and type(value) is not int:
        # `to_python` would take 1.5, True and "1" for 1.
        raise ValueError(value)
    parsed = field.to_python(value)
    if isinstance(parsed, datetime):
        if parsed.tzinfo is None:
            raise ValueError(value)
        # Databases get times in UTC; near year 1 and 9999, the conversion raises OverflowError.
        return parsed.astimezone(UTC)
    return parsed
