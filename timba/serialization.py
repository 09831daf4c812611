"""How values look to callers, in answers and events alike: one JSON encoder for both.

Times are ISO 8601 in UTC with `Z`, decimals are JSON numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import orjson

# Far more than anything that Timba is told needs; far less than what code may recurse into.
MAX_DEPTH: Final = 32
_TOO_DEEP: Final = "depth limit exceeded"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def dumps(value: Any) -> bytes:
    """Encode `value` as JSON in UTF-8; raise TypeError for what has no agreed look."""
    return orjson.dumps(value, default=_number, option=_OPTIONS)


def format_utc(moment: datetime) -> str:
    """Return an aware `moment` as ISO 8601 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class NestedTooDeeply(ValueError):
    """JSON with more than `MAX_DEPTH` values inside one another."""


def loads(text: bytes | str) -> Any:
    """Decode JSON that somebody else wrote.

    Raises JSONDecodeError, a ValueError, for what is no JSON, and NestedTooDeeply.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if error.msg == _TOO_DEEP:
            raise NestedTooDeeply from error
        raise
    level = _containers_in([value])
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _containers_in(outer)]
    if level:
        raise NestedTooDeeply
    return value


def _containers_in(outer: list[Any] | dict[str, Any]) -> list[Any]:
    inside = outer.values() if isinstance(outer, dict) else outer
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        # Timba's decimals have at most 14 digits; a float prints up to 15 exactly.
        return float(value)
    raise TypeError(f"{type(value).__name__} has no agreed look on the wire")
