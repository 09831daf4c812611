"""Cleans what comes out of files before it is stored.

PostgreSQL refuses what SQLite swallows (NUL, lone surrogates, NaN); after this they agree. And no
fact is longer than a person reads: it stands in every list, and in an event that must fit a broker.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

MAX_FACT: Final = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return `text` with what no database stores shown by replacement characters."""
    return _UNSTORABLE.sub("\ufffd", text)


def clean(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned and cut, and null for what is no number."""
    if isinstance(value, str):
        return clean_text(value if len(value) <= MAX_FACT else f"{value[: MAX_FACT - 1]}…")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {clean_text(str(name)): clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value
