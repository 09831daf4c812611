"""The fields of forms and bodies that say how a file is to be read, or that nothing is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from timba.api.openapi import schema_of
from timba.errors import Invalid
from timba.files.changes import check_dry_run
from timba.files.kinds import TEMPERATURES
from timba.files.profiles import check_read_as
from timba.files.schemas import AnswersSchema
from timba.places.city_numbers import CITY_NUMBERS
from timba.serialization import loads

NO_CITY: Final = f"city_id is a whole number from {CITY_NUMBERS[0]} to {CITY_NUMBERS[-1]}."
NO_READINGS: Final = "city_id is for temperature files; leave it out for a file of kind {}."
OTHER_CITY: Final = "city_id is {}, but read_as names city {}. Leave one of them out."
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


@extend_schema_field(
    serializers.IntegerField(min_value=CITY_NUMBERS[0], max_value=CITY_NUMBERS[-1])
)
class CityField(serializers.CharField):
    """The number of a city in a form, where every value is text; a blank one names none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        digits = super().to_internal_value(data)
        if re.fullmatch("[0-9]{1,10}", digits) and int(digits) in CITY_NUMBERS:
            return int(digits)
        raise serializers.ValidationError(NO_CITY)


def reading_of(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a file is to be read; raise Invalid for what its kind does not take."""
    if fields.get("dry_run"):
        check_dry_run(kind)
    read_as = fields.get("read_as")
    if read_as == "":
        read_as = None
    checked = None if read_as is None else check_read_as(kind, read_as)
    if fields.get("city_id"):
        checked = _with_city(kind, checked or {}, fields["city_id"])
    dry_run = fields.get("dry_run", False) or fields.get("tally_dry_run", False)
    return {"dry_run": dry_run, "read_as": checked}


def _with_city(kind: str, read_as: Mapping[str, Any], city_id: int) -> dict[str, Any]:
    """Return checked answers with the city of the whole file; raise Invalid for another city."""
    if kind != TEMPERATURES:
        raise Invalid(fields={"city_id": [NO_READINGS.format(kind)]})
    named = read_as.get("city_id")
    if named not in (None, city_id):
        raise Invalid(fields={"city_id": [OTHER_CITY.format(city_id, named)]})
    return {**read_as, "city_id": city_id}
