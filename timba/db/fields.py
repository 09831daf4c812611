"""A JSON field that keeps the order of keys: PostgreSQL's jsonb and MySQL's JSON sort them."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models

from timba.serialization import dumps


class OrderedJSONField(models.TextField):  # type: ignore[type-arg]  # generic in its stubs only
    """A JSON value stored as text; the database cannot query inside it.

    `dumpdata` writes the same text.
    """

    def from_db_value(self, value: str | None, *_: object) -> Any:
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else dumps(value).decode()

    def value_to_string(self, obj: models.Model) -> Any:
        return self.get_prep_value(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value
