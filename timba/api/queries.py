"""Reads what a request sends, query and body, into checked values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from timba.api.parsers import refuse_unstorable
from timba.errors import Invalid


class Query(serializers.Serializer[Any]):
    """The parameters of one list; unknown ones are ignored."""


def query(kind: type[Query], request: Request) -> dict[str, Any]:
    """Return the parameters that were given; raise ValidationError naming a bad one."""
    refuse_unstorable(request.query_params)
    given = kind(data=request.query_params)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def read(sent: serializers.Serializer[Any]) -> dict[str, Any]:
    """Return the checked values of a body; raise ValidationError naming a bad one."""
    if not isinstance(sent.initial_data, Mapping):
        raise Invalid("The body is not a JSON object.")
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)
