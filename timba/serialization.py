"""JSON for API responses and events: both use one encoder.

Times are ISO 8601 in UTC with `Z`; decimals are JSON numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import orjson

# Far more levels than any request needs, and far fewer than Python's recursion limit.
MAX_DEPTH: Final = 32
_TOO_DEEP: Final = "depth limit exceeded"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def dumps(value: Any) -> bytes:
    """Encode `value` as JSON in UTF-8; raise TypeError for an unsupported type."""
    return orjson.dumps(value, default=_encode_decimal, option=_OPTIONS)


def format_utc(moment: datetime) -> str:
    """Return an aware `moment` as ISO 8601 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_local(moment: datetime) -> str:
    """Return a `moment` whose zone is not known as ISO 8601 without an offset."""
    return moment.replace(tzinfo=None).isoformat()


class NestedTooDeeply(ValueError):
    """JSON nested more than `MAX_DEPTH` levels deep."""


def loads(text: bytes | str) -> Any:
    """Decode JSON from an untrusted source.

    Raises orjson.JSONDecodeError (a ValueError) for malformed JSON, and NestedTooDeeply.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if error.msg == _TOO_DEEP:
            raise NestedTooDeeply from error
        raise
    level = _nested_containers([value])
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _nested_containers(outer)]
    if level:
        raise NestedTooDeeply
    return value


def _nested_containers(outer: list[Any] | dict[str, Any]) -> list[Any]:
    inside = outer.values() if isinstance(outer, dict) else outer
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _encode_decimal(value: object) -> float:
    if isinstance(value, Decimal):
        # Timba's decimals have at most 14 digits; a float represents up to 15 exactly.
        return float(value)
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")
