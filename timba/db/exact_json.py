"""The `json` of `dumpdata` and `loaddata`, in which a time keeps its microseconds.

Django's own cuts them: rows that came in one millisecond would change places.
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
    """Django's serializer with an encoder that cuts nothing."""

    def start_serialization(self) -> None:
        self.options.setdefault("cls", _Encoder)
        super().start_serialization()
