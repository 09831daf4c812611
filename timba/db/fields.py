"""Keeps JSON in the order it was written: what PostgreSQL and MySQL call JSON sorts the names."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models

from timba.serialization import dumps


class OrderedJSONField(models.TextField):  # type: ignore[type-arg]  # generic in its stubs only
    """A JSON value as text, for those who read it whole; the database cannot look inside.

    In a dump it is that text too.
    """

    def from_db_value(self, value: str | None, *_: object) -> Any:
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else dumps(value).decode()

    def value_to_string(self, obj: models.Model) -> Any:
        return self.get_prep_value(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value
