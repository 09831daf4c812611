"""The fields of forms and bodies that say how a file is to be read, or that nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from timba.api.openapi import schema_of
from timba.files.profiles import check_read_as
from timba.files.schemas import AnswersSchema
from timba.files.services import check_dry_run
from timba.serialization import loads

READ_AS_EXAMPLE: Final = {"units": {"length": "m", "breadth": "cm", "height": "cm"}}


@extend_schema_field(schema_of(AnswersSchema))
class AnswersField(serializers.JSONField):
    """Answers in a JSON body, which the processor of the file's kind checks."""


class AnswersTextField(serializers.CharField):
    """Answers in a form: the text of a JSON object; a blank one holds none."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return loads(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError("This is not the text of a JSON object.") from error


def reading_of(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a file is to be read; raise Invalid for what its kind does not take."""
    if fields.get("dry_run"):
        check_dry_run(kind)
    read_as = fields.get("read_as")
    return {
        "dry_run": fields.get("dry_run", False),
        "read_as": None if read_as in (None, "") else check_read_as(kind, read_as),
    }
