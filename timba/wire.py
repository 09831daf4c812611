"""How values look to callers, in answers and events alike: one JSON encoder for both.

Times are ISO 8601 in UTC with `Z`, decimals are JSON numbers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def dumps(value: Any) -> bytes:
    """Encode `value` as JSON in UTF-8; raise TypeError for what has no agreed look."""
    return orjson.dumps(value, default=_number, option=_OPTIONS)


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        # Timba's decimals have at most 14 digits; a float prints up to 15 exactly.
        return float(value)
    raise TypeError(f"{type(value).__name__} has no agreed look on the wire")
