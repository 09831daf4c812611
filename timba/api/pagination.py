"""Keyset pagination of lists: rows added meanwhile make no page skip or repeat a row."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter

from timba.errors import Invalid
from timba.serialization import dumps, loads

M = TypeVar("M", bound=models.Model)

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
LIMIT_PARAMETER = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="Largest number of rows on a page.",
)
PAGE_PARAMETERS = [
    LIMIT_PARAMETER,
    OpenApiParameter(
        "cursor", str, description="Where the page starts, from the `next` of the page before."
    ),
]


def paginate(
    rows: models.QuerySet[M],
    *,
    request: HttpRequest,
    serialize: Callable[[M], Mapping[str, Any]],
    order: tuple[str, ...] = ("-id",),
    key: str = "results",
) -> dict[str, Any]:
    """Return `{key: [serialize(row), …], "next": url or None}` for `?limit=` and `?cursor=`.

    `order` names columns that cannot be null and together are unique; a leading minus means
    descending. Raises Invalid for a limit outside 1..1000 or an invalid cursor.
    """
    limit = parse_limit(request)
    cursor = request.GET.get("cursor")
    if cursor is not None:
        rows = rows.filter(_after(order, _decode_cursor(cursor, rows.model, order)))
    page = list(rows.order_by(*order)[: limit + 1])
    next_url = None
    if len(page) > limit:
        page.pop()
        next_url = _next_url(request, page[-1], order)
    return {key: [serialize(row) for row in page], "next": next_url}


def parse_limit(request: HttpRequest) -> int:
    """Return `?limit=`, 100 when it is absent; raise Invalid outside 1..1000."""
    text = request.GET.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))):
        raise Invalid(fields={"limit": [f"Give a whole number from 1 to {MAX_LIMIT}."]})
    if not 1 <= int(text) <= MAX_LIMIT:
        raise Invalid(fields={"limit": [f"Give a whole number from 1 to {MAX_LIMIT}."]})
    return int(text)


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


def _next_url(request: HttpRequest, row: models.Model, order: tuple[str, ...]) -> str:
    values = [getattr(row, name.removeprefix("-")) for name in order]
    query = request.GET.copy()
    query["cursor"] = base64.urlsafe_b64encode(dumps(values)).decode().rstrip("=")
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _decode_cursor(cursor: str, model: type[models.Model], order: tuple[str, ...]) -> list[Any]:
    try:
        values = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if None in values:
            raise ValueError(cursor)
        return [_parse_value(model, name, value) for name, value in zip(order, values, strict=True)]
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        raise Invalid(fields={"cursor": ["This is not a cursor that Timba gave."]}) from error


def _parse_value(model: type[models.Model], name: str, value: Any) -> Any:
    parsed = _field(model, name).to_python(value)
    if isinstance(parsed, datetime):
        if parsed.tzinfo is None:
            raise ValueError(value)
        # Databases get times in UTC; near year 1 and 9999, the conversion raises OverflowError.
        return parsed.astimezone(UTC)
    return parsed


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name.removeprefix("-")))
