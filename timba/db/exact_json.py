"""The `json` format of `dumpdata` and `loaddata` with times to the microsecond.

Django's format truncates them to milliseconds, which would reorder rows.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.serializers import json
from django.core.serializers.json import Deserializer, DjangoJSONEncoder

__all__ = ["Deserializer", "Serializer"]


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, dt.datetime) else super().default(o)


class Serializer(json.Serializer):
    """Django's serializer with an encoder that keeps microseconds."""

    def start_serialization(self) -> None:
        self.options.setdefault("cls", _Encoder)
        super().start_serialization()
